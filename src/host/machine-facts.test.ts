import { expect, test } from 'vitest';
import {
  goArchitecture,
  parseMeminfo,
  parseOsName,
  readMachineFacts,
  readTaskCount,
} from './machine-facts.ts';

test('parseMeminfo reads kilobytes as bytes, and leaves counts out', () => {
  const text =
    'MemTotal:        1000 kB\nInactive(file):     5 kB\nHugePages_Total:       3\nHugepagesize: 2048 kB\n';
  expect([...parseMeminfo(text)]).toEqual([
    ['MemTotal', 1_024_000],
    ['Inactive(file)', 5120],
    ['Hugepagesize', 2_097_152],
  ]);
});

test.each([
  ['NAME="x"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n', 'Debian GNU/Linux 12 (bookworm)'],
  ["PRETTY_NAME='Alpine Linux v3'\n", 'Alpine Linux v3'],
  ['PRETTY_NAME=Bare', 'Bare'],
  ['ID=x\n', 'Unknown'],
])('parseOsName(%j) = %s', (text, name) => {
  expect(parseOsName(text)).toBe(name);
});

test.each([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
  ['ia32', '386'],
])('%s is %s to Go', (own, go) => {
  expect(goArchitecture(own)).toBe(go);
});

test('this machine has a memory, processors and a kernel', async () => {
  const facts = await readMachineFacts();
  expect(facts.memoryBytes).toBeGreaterThan(1 << 20);
  expect(facts.processors).toBeGreaterThan(0);
  expect(facts.kernelVersion).toMatch(/^\d+\./);
  expect(facts.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(facts.maxPids).toBeGreaterThan(await readTaskCount().then((count) => count ?? 0));
});

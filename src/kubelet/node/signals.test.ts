import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import type { CgroupLayout } from '#cgroups/layout.ts';
import type { FilesystemUsage } from '#cri/types.ts';
import { systemClock } from '#host/clock.ts';
import { SignalReader } from './signals.ts';

const layout: CgroupLayout = {
  version: 2,
  mount: { mountPoint: '/nowhere', controllers: ['memory'], root: '/', writable: true },
  missing: [],
};
const readerOf = (imageFsInfo: () => Promise<FilesystemUsage[]>, rootDir = tmpdir()): SignalReader =>
  new SignalReader({ rootDir, layout, images: { imageFsInfo }, clock: systemClock });
const usage = (mountpoint: string): FilesystemUsage => ({
  timestamp: 0,
  mountpoint,
  usedBytes: 0,
  inodesUsed: 0,
});

test('sees memory, both filesystems and processes of this machine', async () => {
  const seen = await readerOf(() => Promise.resolve([usage(tmpdir())])).observe();
  for (const signal of [
    'memory.available',
    'nodefs.available',
    'imagefs.available',
    'pid.available',
  ] as const) {
    const { available, capacity } = seen.get(signal)!;
    expect(available).toBeGreaterThan(0);
    expect(available).toBeLessThanOrEqual(capacity);
  }
});

test.each([
  ['fails', () => Promise.reject(new Error('no'))],
  ['hangs', () => new Promise<never>(() => undefined)],
  ['names none', () => Promise.resolve([])],
])('a runtime that %s takes only its own signal away', async (_name, imageFsInfo) => {
  const seen = await readerOf(imageFsInfo).observe();
  expect(seen.has('imagefs.available')).toBe(false);
  expect(seen.has('nodefs.available')).toBe(true);
});

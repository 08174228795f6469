import { describe, expect, test } from 'vitest';
import { judgeSpace } from './disk.ts';
import { judgeKernel } from './kernel.ts';
import { countRules, listeningPorts } from './network.ts';

test.each([
  ['4.4.0-generic', 'FAIL'],
  ['4.18.0-553.el8', 'warn'],
  ['4.19.0', 'ok'],
  ['6.1.0-18-amd64', 'ok'],
  ['nonsense', 'FAIL'],
])('kernel %s: %s', (version, level) => expect(judgeKernel(version).level).toBe(level));

describe('judgeSpace', () => {
  const gibi = 1024 ** 3;
  test.each([
    [{ totalBytes: 100 * gibi, freeBytes: 50 * gibi, totalInodes: 100, freeInodes: 50 }, 'ok'],
    [{ totalBytes: 100 * gibi, freeBytes: 9 * gibi, totalInodes: 100, freeInodes: 50 }, 'warn'],
    [{ totalBytes: 100 * gibi, freeBytes: 50 * gibi, totalInodes: 100, freeInodes: 4 }, 'warn'],
    [{ totalBytes: 100 * gibi, freeBytes: 50 * gibi, totalInodes: 100, freeInodes: 0 }, 'FAIL'],
    [{ totalBytes: 100 * gibi, freeBytes: 1024, totalInodes: 100, freeInodes: 50 }, 'FAIL'],
    [{ totalBytes: 100 * gibi, freeBytes: 50 * gibi, totalInodes: 0, freeInodes: 0 }, 'ok'],
  ])('%j: %s', (space, level) => expect(judgeSpace('/x', space).level).toBe(level));
});

test('listening ports', () => {
  const text =
    '  sl  local_address rem_address   st tx_queue\n' +
    '   0: 0100007F:2808 00000000:0000 0A 00000000:00000000\n' +
    '   1: 0100007F:280A 0100007F:1F90 01 00000000:00000000\n' +
    '   2: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0\n';
  expect([...listeningPorts(text)]).toEqual([10248, 22]);
});

test('rules', () => {
  expect(countRules('*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j X\n-A X -j Y\nCOMMIT\n')).toBe(2);
});

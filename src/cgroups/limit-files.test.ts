import { expect, test } from 'vitest';
import { v1Files, v2Files } from './limit-files.ts';
import type { LimitFile } from './limit-files.ts';

const text = (files: LimitFile[]): string[] =>
  files.map(({ file, value, isDefault }) => `${file}=${value}${isDefault ? ' (default)' : ''}`);
const limits = {
  cpuShares: 1024,
  cpuQuotaUs: 50_000,
  cpuPeriodUs: 20_000,
  memoryBytes: 4096,
  pids: 10,
  hugePages: new Map([['2MB', 8]]),
};

test('v1', () => {
  expect(text(v1Files(limits, ['2MB', '1GB']))).toEqual([
    'cpu.shares=1024',
    'cpu.cfs_period_us=20000',
    'cpu.cfs_quota_us=50000',
    'memory.limit_in_bytes=4096',
    'pids.max=10',
    'hugetlb.2MB.limit_in_bytes=8',
    'hugetlb.1GB.limit_in_bytes=0',
  ]);
  expect(text(v1Files({}, ['2MB']))).toEqual([
    'cpu.cfs_period_us=100000 (default)',
    'cpu.cfs_quota_us=-1 (default)',
    'memory.limit_in_bytes=-1 (default)',
    'pids.max=max (default)',
  ]);
});

test('v2', () => {
  expect(text(v2Files(limits, ['2MB']))).toEqual([
    'cpu.weight=100',
    'cpu.max=50000 20000',
    'memory.max=4096',
    'pids.max=10',
    'hugetlb.2MB.max=8',
  ]);
  expect(text(v2Files({}, []))).toEqual([
    'cpu.max=max 100000 (default)',
    'memory.max=max (default)',
    'pids.max=max (default)',
  ]);
});

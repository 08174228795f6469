/** Which files of a group carry its limits (kernel: cgroup-v1/*.rst, cgroup-v2.rst), in the order to write them. */
import { weightOf } from './cpu.ts';
import type { CgroupLimits } from './pod-limits.ts';

export interface LimitFile {
  controller: string;
  file: string;
  value: string;
  /** True where the value is the kernel's own for a new group, so that nothing need be written to one. */
  isDefault: boolean;
}

const DEFAULT_PERIOD_US = 100_000;

/** The files for cgroup v1. `hugePageSizes` are those of the machine. */
export function v1Files(limits: CgroupLimits, hugePageSizes: readonly string[]): LimitFile[] {
  const files: LimitFile[] = [];
  const put = (controller: string, file: string, value: number | string | undefined, none: string): void => {
    files.push({
      controller,
      file: `${controller}.${file}`,
      value: String(value ?? none),
      isDefault: value === undefined,
    });
  };
  if (limits.cpuShares !== undefined) put('cpu', 'shares', limits.cpuShares, '1024');
  put('cpu', 'cfs_period_us', limits.cpuPeriodUs, String(DEFAULT_PERIOD_US));
  put('cpu', 'cfs_quota_us', limits.cpuQuotaUs, '-1');
  put('memory', 'limit_in_bytes', limits.memoryBytes, '-1');
  put('pids', 'max', limits.pids, 'max');
  for (const [size, bytes] of pagesOf(limits, hugePageSizes))
    put('hugetlb', `${size}.limit_in_bytes`, bytes, '0');
  return files;
}

/** The files for cgroup v2. */
export function v2Files(limits: CgroupLimits, hugePageSizes: readonly string[]): LimitFile[] {
  const files: LimitFile[] = [];
  const put = (controller: string, file: string, value: number | string | undefined): void => {
    files.push({
      controller,
      file: `${controller}.${file}`,
      value: String(value ?? 'max'),
      isDefault: value === undefined,
    });
  };
  if (limits.cpuShares !== undefined) put('cpu', 'weight', weightOf(limits.cpuShares));
  const period = limits.cpuPeriodUs ?? DEFAULT_PERIOD_US;
  const quota = limits.cpuQuotaUs === undefined ? undefined : `${limits.cpuQuotaUs} ${period}`;
  files.push({
    controller: 'cpu',
    file: 'cpu.max',
    value: quota ?? `max ${period}`,
    isDefault: quota === undefined,
  });
  put('memory', 'max', limits.memoryBytes);
  put('pids', 'max', limits.pids);
  for (const [size, bytes] of pagesOf(limits, hugePageSizes)) put('hugetlb', `${size}.max`, bytes);
  return files;
}

function pagesOf(limits: CgroupLimits, sizes: readonly string[]): [string, number][] {
  const pages = limits.hugePages;
  return pages === undefined ? [] : sizes.map((size) => [size, pages.get(size) ?? 0]);
}

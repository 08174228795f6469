/** Conversions between Kubernetes CPU amounts and what the kernel's controllers count in. */

/** The kernel's bounds for cpu.shares. */
export const MIN_SHARES = 2;
export const MAX_SHARES = 262_144;
/** The scheduler accepts no smaller quota than a millisecond. */
const MIN_QUOTA_US = 1000;

/** cpu.shares for thousandths of a CPU: 1024 a CPU, 2 where nothing is asked. */
export function sharesOf(milliCpu: number): number {
  const shares = Math.floor((milliCpu * 1024) / 1000);
  return Math.min(Math.max(shares, MIN_SHARES), MAX_SHARES);
}

/** Microseconds of CPU time in each period of `periodUs`; 0 (no limit) for no amount. */
export function quotaOf(milliCpu: number, periodUs: number): number {
  if (milliCpu === 0) return 0;
  return Math.max(Math.floor((milliCpu * periodUs) / 1000), MIN_QUOTA_US);
}

/**
 * cpu.weight of cgroup v2 for cpu.shares: the quadratic conversion that OCI runtimes use since 2025, which maps
 * 2, 1024 and 262144 to 1, 100 and 10000 (kubernetes/kubernetes issue 131216).
 */
export function weightOf(shares: number): number {
  if (shares <= MIN_SHARES) return 1;
  if (shares >= MAX_SHARES) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

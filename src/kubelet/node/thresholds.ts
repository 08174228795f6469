import { UsageError } from '#lib/errors.ts';
import { parseQuantity } from '#lib/kube/quantity.ts';
import type { Quantity } from '#lib/kube/quantity.ts';

/** The signals of `evictionHard` on Linux. */
export const EVICTION_SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'containerfs.available',
  'containerfs.inodesFree',
  'pid.available',
  'allocatableMemory.available',
] as const;
export type EvictionSignal = (typeof EVICTION_SIGNALS)[number];

/** Less than this left means pressure at once. */
export interface HardThreshold {
  signal: EvictionSignal;
  value: { quantity: Quantity } | { fraction: number };
}

const isSignal = (name: string): name is EvictionSignal => EVICTION_SIGNALS.some((each) => each === name);

/**
 * Reads `evictionHard` (`memory.available: 100Mi`, `nodefs.available: 10%`). 0% and 100% switch a threshold off,
 * as upstream. Throws UsageError; `field` names the source in it.
 */
export function parseHardThresholds(
  values: Readonly<Record<string, string>>,
  field = 'evictionHard',
): HardThreshold[] {
  return Object.entries(values).flatMap(([signal, text]) => {
    if (!isSignal(signal)) {
      throw new UsageError(
        `${field}: ${signal} is no eviction signal; allowed: ${EVICTION_SIGNALS.join(', ')}`,
      );
    }
    const value = parseValue(`${field}[${signal}]`, text.trim());
    return value === undefined ? [] : [{ signal, value }];
  });
}

function parseValue(field: string, text: string): HardThreshold['value'] | undefined {
  const refuse = (cause?: unknown): UsageError =>
    new UsageError(
      `${field}: ${JSON.stringify(text)} is not allowed; allowed: a quantity above 0 (100Mi) or 0% to 100%`,
      { cause },
    );
  if (text.endsWith('%')) {
    const percent = /^\d+(\.\d+)?%$/.test(text) ? Number.parseFloat(text) : Number.NaN;
    if (!(percent >= 0 && percent <= 100)) throw refuse();
    // In upstream's precision, so that both compute the same allocatable.
    return percent === 0 || percent === 100
      ? undefined
      : { fraction: Math.fround(Math.fround(percent) / 100) };
  }
  try {
    const quantity = parseQuantity(text);
    if (quantity.sign <= 0) throw refuse();
    return { quantity };
  } catch (cause) {
    throw cause instanceof UsageError ? cause : refuse(cause);
  }
}

/** The threshold's amount in the unit of `capacity`, rounded down. */
export function thresholdAmount({ value }: HardThreshold, capacity: number): number {
  return 'quantity' in value ? value.quantity.value() : Math.floor(capacity * value.fraction);
}

/** kubelet's on Linux. */
export const DEFAULT_HARD_THRESHOLDS: readonly HardThreshold[] = parseHardThresholds({
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
});

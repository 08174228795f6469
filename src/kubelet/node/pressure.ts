/** Whether the node runs out of something: the hard eviction thresholds held against what is left. */
import type { Clock } from '#lib/clock.ts';
import type { NodePressure } from './conditions.ts';
import { thresholdAmount } from './thresholds.ts';
import type { EvictionSignal, HardThreshold } from './thresholds.ts';

/** Says what pressure there is; asked at every status. Never rejects. */
export interface PressureSource {
  read(): Promise<NodePressure>;
}

/** What is left of a resource, in bytes, inodes or processes. */
export interface SignalObservation {
  available: number;
  capacity: number;
}

/** A signal that can't be observed isn't there. */
export type SignalObservations = ReadonlyMap<EvictionSignal, SignalObservation>;

const CONDITION_OF: Readonly<Record<EvictionSignal, keyof NodePressure>> = {
  'memory.available': 'memory',
  'allocatableMemory.available': 'memory',
  'nodefs.available': 'disk',
  'nodefs.inodesFree': 'disk',
  'imagefs.available': 'disk',
  'imagefs.inodesFree': 'disk',
  'containerfs.available': 'disk',
  'containerfs.inodesFree': 'disk',
  'pid.available': 'pids',
};

/** The thresholds that are crossed. A signal without an observation crosses none. */
export function crossedThresholds(
  thresholds: readonly HardThreshold[],
  observations: SignalObservations,
): HardThreshold[] {
  return thresholds.filter((threshold) => {
    const observed = observations.get(threshold.signal);
    return observed !== undefined && observed.available < thresholdAmount(threshold, observed.capacity);
  });
}

export interface ThresholdPressureOptions {
  thresholds: readonly HardThreshold[];
  /** How long a pressure is still reported after it was last seen: `evictionPressureTransitionPeriod`. */
  transitionPeriodMs: number;
  observe(): Promise<SignalObservations>;
  clock: Clock;
}

/** Pressure by the hard thresholds alone: what there is without an eviction manager. */
export class ThresholdPressure implements PressureSource {
  readonly #options: ThresholdPressureOptions;
  /** Monotonic time at which each pressure was last seen. */
  readonly #seen = new Map<keyof NodePressure, number>();

  constructor(options: ThresholdPressureOptions) {
    this.#options = options;
  }

  async read(): Promise<NodePressure> {
    const { thresholds, transitionPeriodMs, clock } = this.#options;
    const observations: SignalObservations =
      thresholds.length === 0 ? new Map() : await this.#options.observe();
    const now = clock.monotonic();
    for (const { signal } of crossedThresholds(thresholds, observations)) {
      this.#seen.set(CONDITION_OF[signal], now);
    }
    const under = (kind: keyof NodePressure): boolean => {
      const at = this.#seen.get(kind);
      return at !== undefined && (at === now || now - at < transitionPeriodMs);
    };
    return { memory: under('memory'), disk: under('disk'), pids: under('pids') };
  }
}

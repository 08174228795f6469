export interface RetrySchedule {
  /** Milliseconds before the first repetition, before jitter. */
  initialMs: number;
  maxMs: number;
  /** 2 unless given. */
  factor?: number;
  /** Each delay is lengthened by up to this share of itself; 0 unless given. Upstream's watches have 1. */
  jitter?: number;
  /** How many delays there are; without it they go on for ever. */
  steps?: number;
}

/** The delays between attempts, in milliseconds. `random` gives numbers from 0 up to, not including, 1. */
export function* retryDelays(schedule: RetrySchedule, random: () => number): Generator<number, void> {
  const { maxMs, factor = 2, jitter = 0, steps = Infinity } = schedule;
  let delay = schedule.initialMs;
  for (let step = 0; step < steps; step++) {
    yield Math.min(delay, maxMs) * (1 + jitter * random());
    delay = Math.min(delay * factor, maxMs);
  }
}

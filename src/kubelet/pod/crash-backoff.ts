import type { Instance } from './instances.ts';
import type { CrashBackoff } from './record.ts';

export interface BackoffLimits {
  initialMs: number;
  maximumMs: number;
}

/** Upstream's: 10 s, doubling to 300 s. */
export const CRASH_BACKOFF: BackoffLimits = { initialMs: 10_000, maximumMs: 300_000 };

/** A container that ran this long since its last start is taken for healthy: its next crash restarts at once. */
const RESET_AFTER_MS = 600_000;

const expired = (backoff: CrashBackoff, finishedAt: number): boolean =>
  finishedAt - backoff.steppedAt > RESET_AFTER_MS;

/** An end that lies further ahead than this: the wall clock was set back since. */
const CLOCK_JUMP_MS = 60_000;

/** Wall time before which the container must not start again; 0 where it may at once. `now`: wall time. */
export function notBefore(backoff: CrashBackoff | undefined, ended: Instance, now: number): number {
  if (backoff === undefined || expired(backoff, ended.finishedAt)) return 0;
  // How long ago it ended can't be told any more. One start too early does less harm than hours without any.
  if (ended.finishedAt > now + CLOCK_JUMP_MS) return 0;
  return ended.finishedAt + backoff.delayMs;
}

/** The back-off that a start at `now`, after the instance `ended`, leaves behind. */
export function nextBackoff(
  backoff: CrashBackoff | undefined,
  ended: Instance,
  now: number,
  limits: BackoffLimits = CRASH_BACKOFF,
): CrashBackoff {
  const fresh = backoff === undefined || expired(backoff, ended.finishedAt);
  const delayMs = fresh ? limits.initialMs : Math.min(backoff.delayMs * 2, limits.maximumMs);
  return { delayMs, steppedAt: now };
}

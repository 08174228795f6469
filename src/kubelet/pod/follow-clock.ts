import type { Clock } from '#lib/clock.ts';
import type { PodContext } from './pod-context.ts';

/** What the wall clock gains or loses at once without having been set. */
const TOLERANCE_MS = 2000;

/** Where the wall clock was set since the last look, what the pod waits for is as far away as before. */
export function followClock(context: PodContext, clock: Clock): void {
  const offset = clock.now() - clock.monotonic();
  const setBy = offset - (context.clockOffset ?? offset);
  context.clockOffset = offset;
  if (Math.abs(setBy) < TOLERANCE_MS) return;
  for (const [subject, failure] of context.failures) {
    context.failures.set(subject, { ...failure, retryAt: failure.retryAt + setBy });
  }
  const { terminating } = context.record;
  if (terminating !== undefined) {
    context.record.terminating = { ...terminating, since: terminating.since + setBy };
  }
}

import type { Clock } from '#lib/clock.ts';

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, wake) {
    // setTimeout's longest delay is 2^31-1 ms; a longer wait wakes early and its owner looks again.
    const timer = setTimeout(wake, Math.min(Math.max(ms, 0), 2 ** 31 - 1));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

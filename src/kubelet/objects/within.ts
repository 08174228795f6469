import type { Clock } from '#lib/clock.ts';

/** How long a pod is held up by a server that doesn't answer before it hears that it doesn't. */
export const SETTLE_MS = 1000;

/**
 * Waits for `work`, but no longer than `ms`: then the signal that it was given aborts, and whatever comes of it doesn't
 * count. Rejects with `signal`'s reason, or with what `work` rejects with by itself.
 */
export async function withinMs(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (soon: AbortSignal) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted();
  const patience = new AbortController();
  const timer = clock.after(ms, () => patience.abort());
  try {
    await work(AbortSignal.any([signal, patience.signal]));
  } catch (error) {
    signal.throwIfAborted();
    if (!patience.signal.aborted) throw error;
  } finally {
    timer.cancel();
  }
}

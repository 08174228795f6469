import { sleep } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { isRetryable } from '../errors.ts';
import { ApiError } from './api-error.ts';

export interface RetryOptions {
  /** Milliseconds between attempts (`retryDelays`); when it ends, so do the attempts. */
  delays: Iterable<number>;
  clock: Clock;
  signal: AbortSignal;
  /** Milliseconds for all attempts together; no attempt begins later. */
  deadlineMs?: number;
  /** Which failures are worth another attempt; those that call themselves retryable unless given. */
  when?: (error: unknown) => boolean;
}

/**
 * Calls until it succeeds. Waits at least as long as the server's Retry-After asks. Rejects with the last attempt's
 * error, or the signal's reason.
 */
export async function withRetries<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, signal, deadlineMs = Infinity, when = isRetryable } = options;
  const end = clock.monotonic() + deadlineMs;
  const delays: Iterator<number, unknown> = options.delays[Symbol.iterator]();
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (signal.aborted || !when(error)) throw error;
      const next = delays.next();
      if (next.done === true) throw error;
      const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      const delay = Math.max(next.value, asked);
      if (clock.monotonic() + delay > end) throw error;
      await sleep(clock, delay, signal);
    }
  }
}

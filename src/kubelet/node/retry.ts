import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { DeadlineError } from '#lib/errors.ts';
import { ApiError } from '#lib/kube/api-error.ts';

const FIRST_MS = 200;
const MAX_MS = 7000;

/** Upstream's pauses between tries of registration and lease: 200 ms, doubled up to 7 s. */
export const retryPause = (failures: number): number =>
  Math.min(FIRST_MS * 2 ** Math.max(0, failures - 1), MAX_MS);

/** Whether a call got no answer at all: the connection may be dead without anybody having said so. */
export const gotNoAnswer = (error: unknown): boolean =>
  error instanceof DeadlineError || (error instanceof ApiError && error.status === 0);

/** A key that wakes whoever sleeps on it; a wake-up that comes before the sleep counts. */
export class Wakeup {
  #pending = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** Waits until rung or for `ms`, whichever comes first; ends early when the signal aborts. Says whether it was rung. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const rung = await Promise.race([
      this.#rung(either),
      sleep(clock, ms, either).then(
        () => false,
        () => false,
      ),
    ]);
    over.abort();
    return rung;
  }

  #rung(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (rung: boolean): void => {
        signal.removeEventListener('abort', abort);
        this.#wake = undefined;
        if (rung) this.#pending = false;
        resolve(rung);
      };
      const abort = (): void => end(false);
      if (this.#pending) {
        end(true);
        return;
      }
      if (signal.aborted) {
        resolve(false);
        return;
      }
      this.#wake = () => end(true);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}

/** Time as the program sees it; tests inject one that they move by hand. */
export interface Clock {
  /** Wall time in milliseconds since 1970, for what people and files see. */
  now(): number;
  /** Milliseconds from an arbitrary start that never jump, for intervals and "did this begin after that". */
  monotonic(): number;
  /** Calls `wake` once after `ms`; the timer does not keep the process alive. */
  after(ms: number, wake: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** Resolves after `ms`, or at once with the signal's reason as rejection when it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

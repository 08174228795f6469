import type { Clock } from '#lib/clock.ts';

/** A loop's pauses, which something else may cut short. */
export class Pauses {
  readonly #clock: Clock;
  #end: (() => void) | undefined;
  #woken = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the pause that is on; if none is, the next one ends at once. */
  wake(): void {
    this.#woken = true;
    this.#end?.();
  }

  /** Resolves after `ms`, or when woken (true), or when the signal aborts. */
  async pause(ms: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#woken && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = this.#clock.after(ms, resolve);
      const end = (): void => resolve();
      this.#end = end;
      signal.addEventListener('abort', end, { once: true });
      await promise;
      timer.cancel();
      this.#end = undefined;
      signal.removeEventListener('abort', end);
    }
    const woken = this.#woken;
    this.#woken = false;
    return woken;
  }
}

import type { Clock } from '#lib/clock.ts';

/** A wait that can be cut short. A ring that nobody waits for ends the next wait. */
export class Alarm {
  readonly #clock: Clock;
  #wake: (() => void) | undefined;
  #rang = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  /** Resolves after `ms` or with a ring, with whether it rang; rejects with the signal's reason. One wait at a time. */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (!this.#rang) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = this.#clock.after(ms, resolve);
      this.#wake = resolve;
      const abort = (): void => resolve();
      signal.addEventListener('abort', abort, { once: true });
      await promise;
      signal.removeEventListener('abort', abort);
      timer.cancel();
      this.#wake = undefined;
    }
    const rang = this.#rang;
    this.#rang = false;
    signal.throwIfAborted();
    return rang;
  }
}

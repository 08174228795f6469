import type { Clock, Timer } from './clock.ts';

/** The promise's result, or the signal's reason where that comes first. The work behind the promise goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    const settle = (): void => signal.removeEventListener('abort', abort);
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}

/**
 * A signal that aborts with `outer`, with `late()` after `ms`, or by itself. For work that is much shorter than `outer`
 * lives: nothing of it stays behind once it is disposed of, which `AbortSignal.any` doesn't promise.
 */
export class LinkedAbort implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #follow = (): void => this.#controller.abort(this.#outer.reason);
  #timer: Timer | undefined;

  constructor(outer: AbortSignal, deadline?: { clock: Clock; ms: number; late: () => Error }) {
    this.#outer = outer;
    if (outer.aborted) this.#follow();
    else outer.addEventListener('abort', this.#follow, { once: true });
    if (deadline === undefined) return;
    const { clock, ms, late } = deadline;
    this.#timer = clock.after(ms, () => this.abort(late()));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  clearDeadline(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  [Symbol.dispose](): void {
    this.clearDeadline();
    this.#outer.removeEventListener('abort', this.#follow);
  }
}

/** Lets at most `limit` pieces of work run at once; the others wait in the order in which they came. */
export class Limiter {
  readonly #limit: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  /** `Infinity`: no limit. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Pieces of work that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Runs `work` when its turn comes. If `signal` aborts first, the turn is given up and its reason rejects. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#running--;
      const [next] = this.#waiting;
      next?.();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        this.#waiting.delete(begin);
        signal?.removeEventListener('abort', leave);
        // Counted here, not after the promise settles: another caller may come in between.
        this.#running++;
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(begin);
        reject(signal?.reason as Error);
      };
      if (signal?.aborted === true) leave();
      else if (this.#running < this.#limit) begin();
      else {
        this.#waiting.add(begin);
        signal?.addEventListener('abort', leave, { once: true });
      }
    });
  }
}

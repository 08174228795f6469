interface Waiter {
  priority: number;
  sequence: number;
  enter: () => void;
}

/**
 * Lets a limited number of pieces of work run at once; of those that wait, the one with the smallest priority number
 * enters next (equal ones in order of arrival).
 */
export class PriorityGate {
  readonly #limit: number;
  #inside = 0;
  #sequence = 0;
  readonly #waiting: Waiter[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Runs `work` inside; rejects with the signal's reason if it aborts while waiting (not once inside). */
  async run<T>(priority: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(priority, signal);
    try {
      return await work();
    } finally {
      this.#inside--;
      this.#admit();
    }
  }

  #enter(priority: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        priority,
        sequence: this.#sequence++,
        enter: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiter);
      this.#admit();
    });
  }

  #admit(): void {
    while (this.#inside < this.#limit && this.#waiting.length > 0) {
      const first = this.#waiting.reduce((a, b) =>
        b.priority < a.priority || (b.priority === a.priority && b.sequence < a.sequence) ? b : a,
      );
      this.#waiting.splice(this.#waiting.indexOf(first), 1);
      this.#inside++;
      first.enter();
    }
  }
}

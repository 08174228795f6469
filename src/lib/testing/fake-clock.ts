import type { Clock, Timer } from '../clock.ts';

/** A clock that stands still until the test moves it. */
export class FakeClock implements Clock {
  #now: number;
  #setBy = 0;
  #sequence = 0;
  readonly #timers = new Map<number, { at: number; wake: () => void }>();

  readonly #settle: () => Promise<void>;

  /** `letSettle` runs between timers; tests that touch the disk give one that waits for it. */
  constructor(now = Date.parse('2026-01-01T00:00:00Z'), letSettle: () => Promise<void> = settle) {
    this.#now = now;
    this.#settle = letSettle;
  }

  now(): number {
    return this.#now + this.#setBy;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, wake: () => void): Timer {
    const id = this.#sequence++;
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), wake });
    return { cancel: () => void this.#timers.delete(id) };
  }

  /** Sets the wall clock forward or, where `ms` is negative, back; intervals and timers don't follow. */
  set(ms: number): void {
    this.#setBy += ms;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on, waking each timer at its own moment and letting what it started settle. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.#settle();
    for (;;) {
      const due = [...this.#timers]
        .filter(([, timer]) => timer.at <= end)
        .sort((a, b) => a[1].at - b[1].at || a[0] - b[0]);
      const next = due[0];
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].at);
      next[1].wake();
      await this.#settle();
    }
    this.#now = end;
    await this.#settle();
  }
}

/** Lets everything that is ready to run, run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

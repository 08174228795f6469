import type { Clock, Timer } from './clock.ts';

interface Item {
  /** Monotonic time from when the item is due. */
  due: number;
  timer: Timer | undefined;
}

/**
 * A work queue by key. At most one run per key at a time; adding a key that waits changes nothing but may bring it
 * forward (never push it back); adding a key that runs makes it run once more afterwards.
 *
 * How many keys run side by side is not limited here: what is scarce (the runtime, the registry) limits itself.
 */
export class KeyedQueue {
  readonly #clock: Clock;
  readonly #work: (key: string) => Promise<void>;
  readonly #waiting = new Map<string, Item>();
  readonly #running = new Set<string>();
  /** For a key that runs: when it is to run again. */
  readonly #again = new Map<string, number>();
  /** Woken whenever a run ends. */
  readonly #idle: (() => void)[] = [];
  #stopped = false;

  /** `work` must not reject: what it can't do it adds again, later. */
  constructor(clock: Clock, work: (key: string) => Promise<void>) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Runs the key's work after `delayMs`, or earlier where it is already due earlier. */
  add(key: string, delayMs = 0): void {
    if (this.#stopped) return;
    const due = this.#clock.monotonic() + Math.max(0, delayMs);
    if (this.#running.has(key)) {
      this.#again.set(key, Math.min(due, this.#again.get(key) ?? Infinity));
      return;
    }
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && waiting.due <= due) return;
    waiting?.timer?.cancel();
    const item: Item = { due, timer: undefined };
    this.#waiting.set(key, item);
    if (delayMs <= 0) queueMicrotask(() => this.#wake(key, item));
    else item.timer = this.#clock.after(delayMs, () => this.#wake(key, item));
  }

  /** How many keys run at this moment. */
  get running(): number {
    return this.#running.size;
  }

  /** Runs `work` while the key's own work doesn't run, and holds up any that would begin. */
  async exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    while (this.#running.has(key)) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#running.add(key);
    try {
      return await work();
    } finally {
      this.#done(key);
    }
  }

  /** Drops a key that waits, and its wish to run again. A run under way goes on. */
  remove(key: string): void {
    this.#waiting.get(key)?.timer?.cancel();
    this.#waiting.delete(key);
    this.#again.delete(key);
  }

  /** Starts nothing more and resolves when the runs under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const key of this.#waiting.keys()) this.remove(key);
    this.#again.clear();
    while (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #wake(key: string, item: Item): void {
    if (this.#waiting.get(key) !== item) return;
    const early = item.due - this.#clock.monotonic();
    if (early > 1) {
      // A timer can't wait longer than 2^31 ms, and may fire early after a suspend.
      item.timer = this.#clock.after(early, () => this.#wake(key, item));
      return;
    }
    this.#waiting.delete(key);
    if (this.#running.has(key)) {
      this.#again.set(key, item.due);
      return;
    }
    this.#running.add(key);
    void this.#work(key).finally(() => this.#done(key));
  }

  #done(key: string): void {
    this.#running.delete(key);
    const again = this.#again.get(key);
    this.#again.delete(key);
    if (again !== undefined) this.add(key, again - this.#clock.monotonic());
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

interface Entry {
  delayMs: number;
  /** Monotonic time of the failure that set the delay. */
  at: number;
}

/**
 * An exponential back-off for each key, with the rules of upstream's: it doubles with each failure up to `maxMs`, a
 * success doesn't reset it, and it is forgotten once twice `maxMs` have gone by without a failure.
 *
 * Every `now` is a monotonic time in milliseconds.
 */
export class KeyedBackoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(initialMs: number, maxMs: number) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
  }

  /** Notes a failure and returns how long to hold off, in milliseconds. */
  next(key: string, now: number): number {
    const entry = this.#entry(key, now);
    const delayMs = entry === undefined ? this.#initialMs : Math.min(entry.delayMs * 2, this.#maxMs);
    this.#entries.set(key, { delayMs, at: now });
    return delayMs;
  }

  /** Milliseconds still to hold off; 0 where there is nothing to wait for. */
  remaining(key: string, now: number): number {
    const entry = this.#entry(key, now);
    return entry === undefined ? 0 : Math.max(0, entry.at + entry.delayMs - now);
  }

  /** Drops what has expired, and returns its keys. */
  collect(now: number): string[] {
    const gone = [...this.#entries.keys()].filter((key) => this.#entry(key, now) === undefined);
    for (const key of gone) this.#entries.delete(key);
    return gone;
  }

  #entry(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && now - entry.at <= 2 * this.#maxMs ? entry : undefined;
  }
}

import type { Clock } from '#lib/clock.ts';
import { sleep } from '#lib/clock.ts';

/**
 * A value that costs something to read and may be a little old: read again when older than `maxAgeMs`, by one reader at a
 * time. A reading that fails or takes long leaves the last good value in place; after a failure the next one comes when a
 * third of that age has gone by.
 */
export class Refreshed<T> {
  readonly #read: () => Promise<T>;
  readonly #maxAgeMs: number;
  readonly #clock: Clock;
  #value: T | undefined;
  #at = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(read: () => Promise<T>, maxAgeMs: number, clock: Clock) {
    this.#read = read;
    this.#maxAgeMs = maxAgeMs;
    this.#clock = clock;
  }

  /** The value, waiting at most `waitMs` for one that is due; undefined where none was ever read. */
  async get(waitMs: number): Promise<T | undefined> {
    if (this.#clock.monotonic() - this.#at < this.#maxAgeMs) return this.#value;
    this.#reading ??= this.#refresh();
    const over = new AbortController();
    await Promise.race([this.#reading, sleep(this.#clock, waitMs, over.signal).catch(() => undefined)]);
    over.abort();
    return this.#value;
  }

  async #refresh(): Promise<void> {
    try {
      this.#value = await this.#read();
      this.#at = this.#clock.monotonic();
    } catch {
      // The last good value stands; who reads it tells of the trouble elsewhere.
      this.#at = this.#clock.monotonic() - (this.#maxAgeMs * 2) / 3;
    } finally {
      this.#reading = undefined;
    }
  }
}

import { readBounded, stampOf } from '#host/bounded-read.ts';

const MAX_BYTES = 1 << 20;

/** A small file that is read again when it was changed or replaced, links followed. */
export class TrackedFile {
  readonly path: string;
  readonly #rereadMs: number;
  #stamp: string | undefined;
  #text: string | undefined;
  #readAt = -Infinity;

  /** After `rereadMs` it is read again even where it looks unchanged. */
  constructor(path: string, rereadMs = Infinity) {
    this.path = path;
    this.#rereadMs = rereadMs;
  }

  /**
   * The text as it stands now; `now` is a monotonic time, `force` reads whatever the stamp says. Rejects with the
   * system's error or BoundedReadError.
   */
  async read(now: number, force = false): Promise<string> {
    const stamp = await stampOf(this.path);
    const fresh = now - this.#readAt < this.#rereadMs;
    if (!force && fresh && this.#text !== undefined && stamp?.text === this.#stamp) return this.#text;
    const { text, stamp: read } = await readBounded(this.path, MAX_BYTES);
    this.#stamp = read.text;
    this.#text = text;
    this.#readAt = now;
    return text;
  }
}

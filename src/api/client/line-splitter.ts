import { ConnectionError } from './connection.ts';

const NEWLINE = 10;

/** Puts lines together from pieces of a stream; a character may be cut in two by a piece's end. */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that this piece completes, without their ends. Throws ConnectionError where one is too long. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const part = chunk.subarray(start, end < 0 ? undefined : end);
      if (this.#length + part.length > this.#maxBytes) {
        throw new ConnectionError(`an event of the watch has more than ${this.#maxBytes} bytes`);
      }
      if (end < 0) {
        if (part.length > 0) this.#rest.push(part);
        this.#length += part.length;
        return lines;
      }
      if (this.#rest.length === 0) lines.push(part.toString());
      else lines.push(Buffer.concat([...this.#rest, part]).toString());
      this.#rest = [];
      this.#length = 0;
      start = end + 1;
    }
  }
}

import { fixedWidthTimestamp } from './cri-log.ts';
import type { LogPiece, LogStream } from './cri-log.ts';

export interface OutputOptions {
  timestamps: boolean;
  /** Wall milliseconds: lines written before are left out. */
  sinceTime: number | undefined;
  /** The output ends after this many bytes, in the middle of a line if need be. */
  limitBytes: number | undefined;
  /** The output ends after this many of the file's lines. */
  limitLines: number | undefined;
  /** Only this stream; both unless given. */
  stream: LogStream | undefined;
}

const NEWLINE = 0x0a;
const SPACE = Buffer.from(' ');
const END_OF_LINE = Buffer.from('\n');

/**
 * Turns pieces of a log into what the reader sees. Messages that the runtime had cut into several lines come out
 * whole, with one timestamp.
 */
export class LogOutput {
  readonly #options: OutputOptions;
  #bytesLeft: number;
  #linesLeft: number;
  #parts: Buffer[] = [];
  #length = 0;
  /** Whether what was put out so far ends with a line's end. */
  #atLineStart = true;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#bytesLeft = options.limitBytes ?? Number.POSITIVE_INFINITY;
    this.#linesLeft = options.limitLines ?? Number.POSITIVE_INFINITY;
  }

  /** A limit is reached: nothing more will come out. */
  get done(): boolean {
    return this.#bytesLeft <= 0 || this.#linesLeft <= 0;
  }

  add(piece: LogPiece): void {
    if (this.done) return;
    if (piece.closes) this.#linesLeft--;
    const { stream, sinceTime, timestamps } = this.#options;
    if (stream !== undefined && piece.stream !== stream) return;
    if (sinceTime !== undefined && piece.time < sinceTime) return;
    if (timestamps && piece.opens && this.#atLineStart) {
      this.#put(fixedWidthTimestamp(piece.timestamp));
      this.#put(SPACE);
      this.#atLineStart = false;
    }
    this.#put(piece.data);
    const last = piece.data.at(-1);
    if (last !== undefined) this.#atLineStart = last === NEWLINE;
  }

  /** Ends a line that will never be finished, because another file follows. */
  breakLine(): void {
    if (!this.#atLineStart) this.#put(END_OF_LINE);
    this.#atLineStart = true;
  }

  #put(data: Buffer): void {
    const part = data.length > this.#bytesLeft ? data.subarray(0, this.#bytesLeft) : data;
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#length += part.length;
    this.#bytesLeft -= part.length;
  }

  /** What was added since the last call, copied into a buffer of its own; undefined if that is nothing. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined;
    const whole = Buffer.concat(this.#parts, this.#length);
    this.#parts = [];
    this.#length = 0;
    return whole;
  }
}

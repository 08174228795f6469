/**
 * The log format that CRI runtimes write: `TIMESTAMP STREAM TAGS MESSAGE` a line, the tags separated by `:`, the
 * first of them `P` (the message goes on in the next line of the same stream) or `F` (it ends here).
 */

export type LogStream = 'stdout' | 'stderr';

/** A part of one line of the file. `data` and `timestamp` look into the pushed chunk: copy what you keep. */
export interface LogPiece {
  stream: LogStream;
  /** Milliseconds since 1970, rounded down. */
  time: number;
  /** As the runtime wrote it. */
  timestamp: Buffer;
  /** The message's bytes, with the line's end where the tag says that the message ends. */
  data: Buffer;
  /** The line's first piece. */
  opens: boolean;
  /** The line's last piece. */
  closes: boolean;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;
const P = 0x50;

/** Longer heads aren't heads: `2026-01-01T00:00:00.000000000+00:00 stdout ` and some tags take 50 bytes. */
const MAX_HEAD = 512;

const STDOUT = Buffer.from('stdout');
const STDERR = Buffer.from('stderr');

/**
 * Cuts a log into pieces, chunk by chunk, however the chunks lie. It never holds more than a line's head, so that
 * the length of lines doesn't matter, and it never looks into messages: they are any bytes.
 */
export class CriLogParser {
  /** Lines that were no log lines and were left out. */
  malformed = 0;
  #state: 'head' | 'body' | 'skip' = 'head';
  #carry: Buffer | undefined;
  #stream: LogStream = 'stdout';
  #time = 0;
  #timestamp: Buffer = Buffer.alloc(0);
  #partial = false;
  #opened = false;

  /** Whether the last chunk ended inside of a line. */
  get midLine(): boolean {
    return this.#state !== 'head' || this.#carry !== undefined;
  }

  push(chunk: Buffer): LogPiece[] {
    const pieces: LogPiece[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'head') at = this.#head(chunk, at);
      else if (this.#state === 'body') at = this.#body(chunk, at, pieces);
      else {
        const end = chunk.indexOf(NEWLINE, at);
        if (end >= 0) this.#state = 'head';
        at = end < 0 ? chunk.length : end + 1;
      }
    }
    // The timestamp must outlive this chunk if the line's first piece is yet to come.
    if (this.#state === 'body' && !this.#opened) this.#timestamp = Buffer.from(this.#timestamp);
    return pieces;
  }

  /** Reads a line's head; returns where the chunk goes on. */
  #head(chunk: Buffer, at: number): number {
    const carried = this.#carry?.length ?? 0;
    let head = chunk;
    let from = at;
    if (this.#carry !== undefined) {
      head = Buffer.concat([this.#carry, chunk.subarray(at, at + MAX_HEAD)]);
      from = 0;
      this.#carry = undefined;
    }
    // Where `head` and `chunk` differ, this turns a position in the one into one in the other.
    const shift = head === chunk ? 0 : at - carried;
    const limit = Math.min(head.length, from + MAX_HEAD);
    const first = head.indexOf(SPACE, from);
    const second = first < 0 ? -1 : head.indexOf(SPACE, first + 1);
    const third = second < 0 ? -1 : head.indexOf(SPACE, second + 1);
    const newline = head.subarray(from, third >= 0 ? Math.min(third, limit) : limit).indexOf(NEWLINE);
    if (newline >= 0) {
      this.malformed++;
      return from + newline + 1 + shift;
    }
    if (third >= 0 && third < limit) {
      if (this.#accept(head, from, first, second, third)) {
        this.#state = 'body';
        this.#opened = false;
      } else {
        this.#state = 'skip';
        this.malformed++;
      }
      return third + 1 + shift;
    }
    if (limit - from < MAX_HEAD) this.#carry = Buffer.from(head.subarray(from));
    else {
      this.#state = 'skip';
      this.malformed++;
    }
    return limit + shift;
  }

  #accept(head: Buffer, from: number, first: number, second: number, third: number): boolean {
    const time = parseTimestamp(head, from, first);
    if (Number.isNaN(time)) return false;
    if (second - first !== 7) return false;
    if (head.compare(STDOUT, 0, 6, first + 1, second) === 0) this.#stream = 'stdout';
    else if (head.compare(STDERR, 0, 6, first + 1, second) === 0) this.#stream = 'stderr';
    else return false;
    const next = head[second + 2];
    this.#partial = head[second + 1] === P && (second + 2 === third || next === COLON);
    this.#time = time;
    this.#timestamp = head.subarray(from, first);
    return true;
  }

  #body(chunk: Buffer, at: number, pieces: LogPiece[]): number {
    const end = chunk.indexOf(NEWLINE, at);
    const closes = end >= 0;
    pieces.push({
      stream: this.#stream,
      time: this.#time,
      timestamp: this.#timestamp,
      data: chunk.subarray(at, closes ? (this.#partial ? end : end + 1) : chunk.length),
      opens: !this.#opened,
      closes,
    });
    this.#opened = true;
    if (closes) this.#state = 'head';
    return closes ? end + 1 : chunk.length;
  }
}

const digit = (buffer: Buffer, at: number): number => {
  const value = (buffer[at] ?? 0) - 0x30;
  return value >= 0 && value <= 9 ? value : Number.NaN;
};

const twoDigits = (buffer: Buffer, at: number): number => digit(buffer, at) * 10 + digit(buffer, at + 1);

/** RFC 3339 with any number of digits in the fraction → milliseconds since 1970 rounded down, or NaN. */
export function parseTimestamp(buffer: Buffer, start: number, end: number): number {
  if (end - start < 20) return Number.NaN;
  const separators =
    buffer[start + 4] === 0x2d &&
    buffer[start + 7] === 0x2d &&
    buffer[start + 10] === 0x54 &&
    buffer[start + 13] === COLON &&
    buffer[start + 16] === COLON;
  if (!separators) return Number.NaN;
  const year = twoDigits(buffer, start) * 100 + twoDigits(buffer, start + 2);
  const month = twoDigits(buffer, start + 5);
  const day = twoDigits(buffer, start + 8);
  const hour = twoDigits(buffer, start + 11);
  const minute = twoDigits(buffer, start + 14);
  const second = twoDigits(buffer, start + 17);
  const sound = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60;
  if (!sound) return Number.NaN;

  let at = start + 19;
  let millis = 0;
  if (buffer[at] === 0x2e) {
    const fraction = ++at;
    for (let weight = 100; !Number.isNaN(digit(buffer, at)) && at < end; at++, weight /= 10) {
      if (weight >= 1) millis += digit(buffer, at) * weight;
    }
    if (at === fraction) return Number.NaN;
  }
  const zone = zoneMinutes(buffer, at, end);
  return Date.UTC(year, month - 1, day, hour, minute, second) + millis - zone * 60_000;
}

function zoneMinutes(buffer: Buffer, at: number, end: number): number {
  if (buffer[at] === 0x5a) return end === at + 1 ? 0 : Number.NaN;
  const sign = buffer[at] === 0x2b ? 1 : buffer[at] === 0x2d ? -1 : Number.NaN;
  if (end !== at + 6 || buffer[at + 3] !== COLON) return Number.NaN;
  const hours = twoDigits(buffer, at + 1);
  const minutes = twoDigits(buffer, at + 4);
  return hours < 24 && minutes < 60 ? sign * (hours * 60 + minutes) : Number.NaN;
}

/** The timestamp as `kubectl logs --timestamps` shows it: always nine digits of fraction. */
export function fixedWidthTimestamp(timestamp: Buffer): Buffer {
  if (timestamp.length === 30 && timestamp[29] === 0x5a) return timestamp;
  const text = timestamp.toString('latin1');
  const match = /^(.{19})(?:\.(\d+))?(.*)$/.exec(text);
  if (match === null) return timestamp;
  const [, seconds, fraction = '', zone] = match;
  const utc = zone === '+00:00' || zone === '-00:00' ? 'Z' : zone;
  return Buffer.from(`${seconds}.${fraction.slice(0, 9).padEnd(9, '0')}${utc}`, 'latin1');
}

/** Protocol Buffers' wire format, the part that CRI uses (https://protobuf.dev/programming-guides/encoding). */

export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const TWO_32 = 2 ** 32;

/** Appends to a buffer that grows. */
export class Writer {
  #buffer = Buffer.allocUnsafe(256);
  #at = 0;

  /** An integer of up to 64 bits; exact up to 2^53. A negative one takes ten bytes, as int32 and int64 demand. */
  varint(value: number): void {
    this.#room(10);
    let low = value % TWO_32;
    let high = Math.floor(value / TWO_32);
    low >>>= 0;
    high >>>= 0;
    while (high !== 0 || low > 127) {
      this.#buffer[this.#at++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[this.#at++] = low;
  }

  tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  double(value: number): void {
    this.#room(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#room(length);
    this.#at += this.#buffer.write(value, this.#at);
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

/** Reads one message; throws RangeError where it is cut off or not of this format. */
export class Reader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** An integer of 64 bits as two halves. */
  #halves(): { low: number; high: number } {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#at < this.#end ? this.#buffer[this.#at++] : undefined;
      if (byte === undefined) throw new RangeError('message is cut off');
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= shift < 64 ? bits << (shift - 32) : 0;
      if (byte < 128) return { low: low >>> 0, high: high >>> 0 };
    }
    throw new RangeError('varint is longer than ten bytes');
  }

  unsigned(): number {
    const byte = this.#at < this.#end ? this.#buffer[this.#at] : undefined;
    if (byte !== undefined && byte < 128) {
      this.#at += 1;
      return byte;
    }
    const { low, high } = this.#halves();
    return high * TWO_32 + low;
  }

  signed(): number {
    const { low, high } = this.#halves();
    return (high | 0) * TWO_32 + low;
  }

  double(): number {
    return this.#buffer.readDoubleLE(this.#pass(8));
  }

  bytes(): Buffer {
    const start = this.#pass(this.unsigned());
    return this.#buffer.subarray(start, this.#at);
  }

  string(): string {
    const start = this.#pass(this.unsigned());
    return this.#buffer.toString('utf8', start, this.#at);
  }

  /** A message within this one. */
  message(): Reader {
    const start = this.#pass(this.unsigned());
    return new Reader(this.#buffer, start, this.#at);
  }

  /** Passes over a field that the schema doesn't know. */
  skip(wire: number): void {
    if (wire === WIRE.varint) this.#halves();
    else if (wire === WIRE.bytes) this.#pass(this.unsigned());
    else if (wire === WIRE.fixed64) this.#pass(8);
    else if (wire === WIRE.fixed32) this.#pass(4);
    else throw new RangeError(`wire type ${wire} is not supported`);
  }

  /** Moves on by `length` and returns where it was. */
  #pass(length: number): number {
    const start = this.#at;
    if (start + length > this.#end) throw new RangeError('message is cut off');
    this.#at += length;
    return start;
  }
}

import { NodeletError } from '#lib/errors.ts';

/** The other side doesn't speak the protocol, or broke off. */
export class SpdyError extends NodeletError {
  readonly code = 'SPDY';
}

/** Control frames of SPDY/3 (draft-mbelshe-httpbis-spdy-00, 2.6) by their numbers. */
export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const flagFin = 1;

const version = 3;
const headerLength = 8;

/**
 * Most that a control frame may carry. Headers of an exec session are a few dozen bytes; nothing is allocated for a
 * frame that announces more.
 */
const maxControlLength = 16 * 1024;

function control(type: number, flags: number, payload: Buffer): Buffer {
  const frame = Buffer.alloc(headerLength + payload.length);
  frame.writeUInt16BE(0x8000 | version, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(payload.length, 4);
  frame.writeUInt8(flags, 4);
  payload.copy(frame, headerLength);
  return frame;
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}

/** Opens a stream; `block` is a compressed header block. No associated stream, highest priority. */
export const synStreamFrame = (streamId: number, block: Buffer): Buffer =>
  control(frameType.synStream, 0, Buffer.concat([numbers(streamId, 0), Buffer.alloc(2), block]));

export const synReplyFrame = (streamId: number, block: Buffer): Buffer =>
  control(frameType.synReply, 0, Buffer.concat([numbers(streamId), block]));

export const rstStreamFrame = (streamId: number, status: number): Buffer =>
  control(frameType.rstStream, 0, numbers(streamId, status));

export const pingFrame = (id: number): Buffer => control(frameType.ping, 0, numbers(id));

export const goAwayFrame = (lastStreamId: number): Buffer =>
  control(frameType.goAway, 0, numbers(lastStreamId, 0));

/** The eight bytes before a data frame's payload, which may be at most 2^24-1 bytes long. */
export function dataHeader(streamId: number, length: number, fin: boolean): Buffer {
  const header = numbers(streamId, length);
  header.writeUInt8(fin ? flagFin : 0, 4);
  return header;
}

export interface FrameHandler {
  /** A piece of a data frame's payload: frames are passed on as they come, never held whole. */
  data(streamId: number, chunk: Buffer): void;
  /** A data frame with the FIN flag has ended. */
  fin(streamId: number): void;
  control(type: number, flags: number, payload: Buffer): void;
}

/** Takes a byte stream apart into frames. Throws SpdyError on what can't be one. */
export class FrameReader {
  readonly #handler: FrameHandler;
  /** Bytes of a header or control frame that isn't complete yet: at most 8 + maxControlLength. */
  #pending: Buffer = Buffer.alloc(0);
  /** The data frame whose payload is coming. */
  #data: { streamId: number; left: number; fin: boolean } | undefined;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  push(chunk: Buffer): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = Buffer.alloc(0);
    for (;;) {
      const used = this.#data === undefined ? this.#frame(rest) : this.#payload(rest, this.#data);
      if (used === undefined) {
        this.#pending = Buffer.from(rest);
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** Reads one frame’s header, and the whole of a control frame; undefined: more bytes are needed. */
  #frame(bytes: Buffer): number | undefined {
    if (bytes.length < headerLength) return undefined;
    const first = bytes.readUInt32BE(0);
    const flags = bytes.readUInt8(4);
    const length = bytes.readUInt32BE(4) & 0xff_ffff;
    if (first < 0x8000_0000) {
      this.#data = { streamId: first, left: length, fin: (flags & flagFin) !== 0 };
      this.#endOfData(this.#data);
      return headerLength;
    }
    if (((first >>> 16) & 0x7fff) !== version) throw new SpdyError('the frame is not of SPDY/3');
    if (length > maxControlLength) throw new SpdyError(`a control frame of ${length} bytes is too long`);
    if (bytes.length < headerLength + length) return undefined;
    this.#handler.control(first & 0xffff, flags, bytes.subarray(headerLength, headerLength + length));
    return headerLength + length;
  }

  #payload(bytes: Buffer, frame: { streamId: number; left: number; fin: boolean }): number | undefined {
    if (bytes.length === 0) return undefined;
    const chunk = bytes.subarray(0, frame.left);
    frame.left -= chunk.length;
    this.#handler.data(frame.streamId, chunk);
    this.#endOfData(frame);
    return chunk.length;
  }

  #endOfData(frame: { streamId: number; left: number; fin: boolean }): void {
    if (frame.left > 0) return;
    this.#data = undefined;
    if (frame.fin) this.#handler.fin(frame.streamId);
  }
}

import type { Duplex, Writable } from 'node:stream';
import {
  FrameReader,
  SpdyError,
  dataHeader,
  flagFin,
  frameType,
  goAwayFrame,
  pingFrame,
  synStreamFrame,
} from './frames.ts';
import { HeaderCompressor } from './header-block.ts';

/** Bytes of one data frame that we send; the server holds 50 frames a stream. */
const maxPayload = 32 * 1024;

/**
 * One stream that we opened.
 *
 * There is no flow control by windows: the servers of the container runtimes (moby/spdystream) neither count nor
 * send WINDOW_UPDATE. What slows a sender down is the connection itself, for all streams together.
 */
export class SpdyStream {
  readonly id: number;
  /** Resolves when the server has accepted the stream; before that it would drop our data. */
  readonly accepted: Promise<void>;
  /** Resolves when no more data comes: by FIN, by RST_STREAM or with the connection. */
  readonly ended: Promise<void>;
  readonly #connection: SpdyConnection;
  readonly #sink: Writable | undefined;
  readonly #settle: { accept(): void; refuse(error: Error): void; end(): void };
  #sentFin = false;

  constructor(id: number, connection: SpdyConnection, sink: Writable | undefined) {
    this.id = id;
    this.#connection = connection;
    this.#sink = sink;
    const accepted = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    this.accepted = accepted.promise;
    // Whoever waits for it sees the rejection; nobody may be waiting any more.
    this.accepted.catch(() => undefined);
    this.ended = ended.promise;
    this.#settle = { accept: accepted.resolve, refuse: accepted.reject, end: ended.resolve };
  }

  /** Sends data, in frames of at most 32 KiB; resolves when the connection takes more. */
  async write(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length && !this.#sentFin; at += maxPayload) {
      const part = chunk.subarray(at, at + maxPayload);
      await this.#connection.send(dataHeader(this.id, part.length, false), part);
    }
  }

  /** Tells the server that no more data comes from us; its own data still may. */
  async end(): Promise<void> {
    if (this.#sentFin) return;
    this.#sentFin = true;
    await this.#connection.send(dataHeader(this.id, 0, true));
  }

  /** For the connection: what has arrived for this stream. */
  receive(event: 'reply' | 'end' | Error | Buffer): void {
    if (event === 'reply') this.#settle.accept();
    else if (event === 'end') this.#settle.end();
    else if (event instanceof Error) {
      this.#settle.refuse(event);
      this.#settle.end();
    } else if (this.#sink !== undefined && !this.#sink.write(event)) {
      this.#connection.holdUntilDrained(this.#sink);
    }
  }
}

/** The client's side of one SPDY/3.1 connection, as far as exec sessions use it. */
export class SpdyConnection {
  /** Resolves when the connection is closed, by whomever. */
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #compressor = new HeaderCompressor();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #held = new Set<Writable>();
  #nextId = 1;
  #problem: Error | undefined;

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    const reader = new FrameReader({
      data: (id, chunk) => this.#streams.get(id)?.receive(chunk),
      fin: (id) => this.#streams.get(id)?.receive('end'),
      control: (type, flags, payload) => this.#control(type, flags, payload),
    });
    const read = (chunk: Buffer): void => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#problem = error as Error;
        socket.destroy();
      }
    };
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        const error = this.#problem ?? new SpdyError('the connection was closed');
        for (const stream of this.#streams.values()) stream.receive(error);
        this.#compressor.close();
        resolve();
      });
    });
    socket.on('error', (error) => {
      this.#problem ??= error;
    });
    socket.once('end', () => socket.end());
    if (head.length > 0) read(head);
    socket.on('data', read);
  }

  /** Why the connection broke, if it did. */
  get problem(): Error | undefined {
    return this.#problem;
  }

  /** Whether nothing is read just now, because somebody is slow to take what came. */
  get isHeld(): boolean {
    return this.#held.size > 0;
  }

  /** Opens a stream whose incoming data goes to `sink`; one call at a time. */
  async open(headers: Readonly<Record<string, string>>, sink?: Writable): Promise<SpdyStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(id, this, sink);
    this.#streams.set(id, stream);
    const block = await this.#compressor.encode(headers);
    await this.send(synStreamFrame(id, block));
    return stream;
  }

  /** Sends bytes as they are; resolves when the connection takes more, or is gone. */
  async send(...parts: Buffer[]): Promise<void> {
    const socket = this.#socket;
    if (!socket.writable) return;
    socket.cork();
    let more = true;
    for (const part of parts) more = socket.write(part);
    socket.uncork();
    if (more) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }

  /** Reads nothing more until `sink` has caught up: what is unread holds the server back. */
  holdUntilDrained(sink: Writable): void {
    if (this.#held.has(sink) || sink.destroyed) return;
    this.#held.add(sink);
    this.#socket.pause();
    const go = (): void => {
      sink.off('drain', go);
      sink.off('close', go);
      this.#held.delete(sink);
      if (this.#held.size === 0) this.#socket.resume();
    };
    sink.on('drain', go);
    sink.on('close', go);
  }

  /** Says goodbye and closes. */
  close(): void {
    if (this.#socket.writable) this.#socket.end(goAwayFrame(0), () => this.#socket.destroy());
    else this.#socket.destroy();
  }

  #control(type: number, flags: number, payload: Buffer): void {
    switch (type) {
      case frameType.synReply: {
        // Its headers aren't decompressed: exec sessions need none, and so nobody can send a bomb.
        const stream = this.#streams.get(streamIdOf(payload));
        stream?.receive('reply');
        if ((flags & flagFin) !== 0) stream?.receive('end');
        return;
      }
      case frameType.headers:
        if ((flags & flagFin) !== 0) this.#streams.get(streamIdOf(payload))?.receive('end');
        return;
      case frameType.rstStream:
        this.#streams.get(streamIdOf(payload))?.receive(new SpdyError('the server refused the stream'));
        return;
      case frameType.ping:
        // The server's own pings have even numbers and want an answer.
        if (payload.length >= 4 && payload.readUInt32BE(0) % 2 === 0) {
          void this.send(pingFrame(payload.readUInt32BE(0)));
        }
        return;
      case frameType.synStream:
        throw new SpdyError('the server opened a stream');
      default:
      // GOAWAY: the close follows. SETTINGS, WINDOW_UPDATE: nobody keeps windows here.
    }
  }
}

function streamIdOf(payload: Buffer): number {
  if (payload.length < 4) throw new SpdyError('a control frame is too short');
  return payload.readUInt32BE(0) & 0x7fff_ffff;
}

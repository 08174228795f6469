import { duplexPair, type Duplex } from 'node:stream';
import { constants, createInflate } from 'node:zlib';
import { spdyDictionary } from '../dictionary.ts';
import { FrameReader, dataHeader, frameType, rstStreamFrame, synReplyFrame } from '../frames.ts';

/**
 * The other end of a SPDY connection, as a runtime's streaming server behaves: it answers every SYN_STREAM, drops
 * data of streams that it hasn't answered, and never sends WINDOW_UPDATE.
 */
export class FakeServer {
  readonly client: Duplex;
  readonly socket: Duplex;
  /** Stream IDs by the value of their header `streamtype`. */
  readonly streams = new Map<string, number>();
  /** What came, by stream type. */
  readonly received = new Map<string, Buffer[]>();
  readonly finished = new Set<string>();
  readonly controls: { type: number; payload: Buffer }[] = [];
  reply = true;
  #inflate = createInflate({ dictionary: spdyDictionary(), finishFlush: constants.Z_SYNC_FLUSH });
  #work: Promise<void> = Promise.resolve();

  constructor() {
    [this.client, this.socket] = duplexPair();
    const reader = new FrameReader({
      data: (id, chunk) => {
        const copy = Buffer.from(chunk);
        this.#then(() => void this.received.get(this.typeOf(id))?.push(copy));
      },
      fin: (id) => this.#then(() => void this.finished.add(this.typeOf(id))),
      control: (type, flags, payload) => {
        const copy = Buffer.from(payload);
        this.#then(() => this.#control(type, flags, copy));
      },
    });
    this.socket.on('data', (chunk: Buffer) => reader.push(chunk));
    this.socket.on('error', () => undefined);
  }

  typeOf(id: number): string {
    for (const [type, each] of this.streams) if (each === id) return type;
    return `unknown ${id}`;
  }

  text(type: string): string {
    return Buffer.concat(this.received.get(type) ?? []).toString();
  }

  send(type: string, data: string | Buffer, fin = false): void {
    const payload = Buffer.from(data);
    this.socket.write(Buffer.concat([dataHeader(this.streams.get(type) ?? 0, payload.length, fin), payload]));
  }

  /** Ends a session as the runtime does: the status, every stream reset, the connection closed. */
  finish(status: object): void {
    this.send('error', JSON.stringify(status));
    for (const id of this.streams.values()) this.socket.write(rstStreamFrame(id, 5));
    this.socket.end();
  }

  #then(step: () => unknown): void {
    this.#work = this.#work.then(async () => {
      await step();
    });
  }

  async #control(type: number, _flags: number, payload: Buffer): Promise<void> {
    this.controls.push({ type, payload });
    if (type !== frameType.synStream) return;
    const headers = await this.#headers(payload.subarray(10));
    const id = payload.readUInt32BE(0);
    const name = headers['streamtype'] ?? '';
    this.streams.set(name, id);
    if (!this.reply) return;
    this.received.set(name, []);
    this.socket.write(synReplyFrame(id, Buffer.alloc(0)));
  }

  #headers(block: Buffer): Promise<Record<string, string>> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const onData = (chunk: Buffer): void => void chunks.push(chunk);
      this.#inflate.on('data', onData);
      this.#inflate.once('error', reject);
      this.#inflate.write(block, () => {
        this.#inflate.flush(constants.Z_SYNC_FLUSH, () => {
          this.#inflate.off('data', onData);
          resolve(parse(Buffer.concat(chunks)));
        });
      });
    });
  }
}

function parse(block: Buffer): Record<string, string> {
  let at = 0;
  const number = (): number => {
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    at += length;
    return block.subarray(at - length, at).toString();
  };
  return Object.fromEntries(Array.from({ length: number() }, () => [text(), text()]));
}

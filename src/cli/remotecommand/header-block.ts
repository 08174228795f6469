import { constants, createDeflate, type Deflate } from 'node:zlib';
import { spdyDictionary } from './dictionary.ts';

/** Name/value pairs as a header block carries them, before compression (SPDY/3, 2.6.10). */
export function plainHeaderBlock(headers: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    parts.push(bytes);
  };
  const entries = Object.entries(headers);
  number(entries.length);
  for (const [name, value] of entries) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text, 'latin1');
      number(bytes.length);
      parts.push(bytes);
    }
  }
  return Buffer.concat(parts);
}

/**
 * Compresses a connection's header blocks, which form one zlib stream: blocks must go out in the order of the
 * calls, one call at a time.
 */
export class HeaderCompressor {
  readonly #deflate: Deflate;
  #chunks: Buffer[] = [];

  constructor() {
    this.#deflate = createDeflate({ dictionary: spdyDictionary(), level: constants.Z_BEST_COMPRESSION });
    this.#deflate.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
  }

  encode(headers: Readonly<Record<string, string>>): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#deflate.once('error', reject);
      this.#deflate.write(plainHeaderBlock(headers));
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.#deflate.removeListener('error', reject);
        const block = Buffer.concat(this.#chunks);
        this.#chunks = [];
        resolve(block);
      });
    });
  }

  close(): void {
    this.#deflate.destroy();
  }
}

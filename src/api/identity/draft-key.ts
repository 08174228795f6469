import { writeDurable } from '#host/durable-files.ts';
import { readText, removeFile } from '#host/files.ts';
import { dirname } from 'node:path';
import { ensureFolder, inCertDir } from './cert-dir.ts';
import { generateKey, isSameKey, parseKey } from './key-pair.ts';

/**
 * The key of a signing request under way, kept so that the request survives the process: the next one asks with the same
 * key and so finds the same request. `kubelet-client.key.tmp` is upstream's name.
 */
export class DraftKey {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The kept key, or a new one that is kept from now on; PEM. `taken` is a key that has its certificate already. */
  take(taken: string | undefined): Promise<string> {
    const dir = dirname(this.#path);
    return inCertDir(dir, `write ${this.#path}`, async () => {
      const kept = await this.#read();
      if (kept !== undefined && (taken === undefined || !isSameKey(kept, taken))) return kept;
      const key = generateKey();
      await ensureFolder(dir);
      await writeDurable(this.#path, key, 0o600);
      return key;
    });
  }

  discard(): Promise<void> {
    return inCertDir(dirname(this.#path), `remove ${this.#path}`, () => removeFile(this.#path));
  }

  async #read(): Promise<string | undefined> {
    const text = await readText(this.#path);
    if (text === undefined) return undefined;
    try {
      parseKey(text, this.#path);
      return text;
    } catch {
      return undefined;
    }
  }
}

import { syncDir, writeDurable } from '#host/durable-files.ts';
import { linkTarget, listDir, readText, removeFile, replaceLink, statOf } from '#host/files.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { isAbsolute, join } from 'node:path';
import { ensureFolder, inCertDir } from './cert-dir.ts';
import { CertificateError } from './errors.ts';
import { parsePair } from './key-pair.ts';
import type { CheckedPair, KeyPair } from './key-pair.ts';

/**
 * Certificates with their keys in upstream's files: `PREFIX-YYYY-MM-DD-HH-MM-SS.pem` holds a pair, and the link
 * `PREFIX-current.pem` says which one counts. A kubelet that ran here before, or will, reads the same.
 */
export class PairStore {
  readonly #prefix: string;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #log: Logger;

  /** `dir` is absolute. */
  constructor(
    prefix: 'kubelet-client' | 'kubelet-server',
    parts: { dir: string; clock: Clock; log: Logger },
  ) {
    if (!isAbsolute(parts.dir)) {
      throw new CertificateError(`--cert-dir ${JSON.stringify(parts.dir)}: must be an absolute path`);
    }
    this.#prefix = prefix;
    this.#dir = parts.dir;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  get currentPath(): string {
    return this.#path('current');
  }

  get draftKeyPath(): string {
    return join(this.#dir, `${this.#prefix}.key.tmp`);
  }

  /**
   * The pair that counts, or undefined where there is none. Where the link leads to nothing or to a broken file, the
   * newest whole pair takes its place. Rejects with CertDirError.
   */
  load(): Promise<CheckedPair | undefined> {
    return inCertDir(this.#dir, 'read certificates', async () => {
      await this.#finishSwitch();
      const isThere = (await statOf(this.currentPath)) !== undefined;
      if (!isThere) return await this.#loadSeparate();
      try {
        return await this.#read(this.currentPath);
      } catch (error) {
        this.#log.warn({ file: this.currentPath, err: error }, 'broken certificate file');
        return await this.#recover();
      }
    });
  }

  /** Keeps a pair and makes it the one that counts, at once and for good. Rejects with CertificateError, CertDirError. */
  async save(pair: KeyPair): Promise<CheckedPair> {
    const checked = parsePair(pair.cert, pair.key, `new ${this.#prefix} certificate`);
    const path = this.#path(stamp(this.#clock.now()));
    await inCertDir(this.#dir, `write ${path}`, async () => {
      await ensureFolder(this.#dir);
      await writeDurable(path, checked.cert + checked.key, 0o600);
      await this.#point(path);
    });
    return checked;
  }

  #path(qualifier: string): string {
    return join(this.#dir, `${this.#prefix}-${qualifier}.pem`);
  }

  async #point(path: string): Promise<void> {
    await replaceLink(path, this.currentPath);
    await syncDir(this.#dir);
  }

  /** Upstream takes `current` away before it puts the link `updated` in its place: a kubelet may have died between. */
  async #finishSwitch(): Promise<void> {
    if ((await statOf(this.currentPath)) !== undefined) return;
    const target = await linkTarget(this.#path('updated'));
    if (target === undefined) return;
    await this.#point(target);
    await removeFile(this.#path('updated'));
  }

  async #read(path: string): Promise<CheckedPair> {
    const text = await readText(path);
    if (text === undefined) throw new CertificateError(`${path}: leads to no file`);
    return parsePair(text, text, path);
  }

  /** The oldest form: `PREFIX.crt` and `PREFIX.key`. */
  async #loadSeparate(): Promise<CheckedPair | undefined> {
    const [certPath, keyPath] = [
      join(this.#dir, `${this.#prefix}.crt`),
      join(this.#dir, `${this.#prefix}.key`),
    ];
    const [cert, key] = [await readText(certPath), await readText(keyPath)];
    if (cert === undefined || key === undefined) return undefined;
    try {
      return parsePair(cert, key, `${certPath}, ${keyPath}`);
    } catch (error) {
      this.#log.warn({ file: certPath, err: error }, 'broken certificate file');
      return undefined;
    }
  }

  async #recover(): Promise<CheckedPair | undefined> {
    const isPair = new RegExp(`^${this.#prefix}-\\d{4}(-\\d\\d){5}\\.pem$`);
    const names = ((await listDir(this.#dir)) ?? [])
      .map(({ name }) => name)
      .filter((name) => isPair.test(name));
    for (const name of names.reverse()) {
      const path = join(this.#dir, name);
      try {
        const pair = await this.#read(path);
        this.#log.warn({ file: path }, 'went back to an earlier certificate');
        // Where nothing can be written the pair still serves.
        await this.#point(path).catch((error: unknown) =>
          this.#log.warn({ file: path, reason: describeError(error) }, 'cannot repair the link'),
        );
        return pair;
      } catch (error) {
        this.#log.debug({ file: path, err: error }, 'broken certificate file');
      }
    }
    return undefined;
  }
}

/** `2026-01-31-23-59-59`, in UTC. */
function stamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
}

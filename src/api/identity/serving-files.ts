import { readText } from '#host/files.ts';
import { FolderWatcher } from '#host/watch.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { dirname } from 'node:path';
import { Alarm } from './alarm.ts';
import { CertificateError } from './errors.ts';
import { parsePair } from './key-pair.ts';
import type { CheckedPair } from './key-pair.ts';
import { ServedPair } from './served-pair.ts';
import type { ServingCertificate } from './serving.ts';
import type { IdentityState } from './state.ts';
import { clockDoubt, time } from './words.ts';

export interface ServingFiles {
  /** `--tls-cert-file`, `--tls-private-key-file`; absolute. */
  certFile: string;
  keyFile: string;
}

export interface FileServingParts {
  clock: Clock;
  log: Logger;
  /** Called before each look at the files, to make or mend them. */
  prepare?: (signal: AbortSignal) => Promise<void>;
}

/** Hints of the kernel may be lost, and links may lead elsewhere: look at the files this often at least. */
const LOOK_MS = 60_000;
/** Certificate and key are two files: after a change, wait for the other. */
const SETTLE_MS = 200;

/** A serving certificate out of files that somebody else renews; a pair that doesn't fit is never served. */
export class FileServing implements ServingCertificate {
  readonly #files: ServingFiles;
  readonly #parts: FileServingParts;
  readonly #served = new ServedPair();
  readonly #alarm: Alarm;
  #trouble: string | undefined;

  constructor(files: ServingFiles, parts: FileServingParts) {
    this.#files = files;
    this.#parts = parts;
    this.#alarm = new Alarm(parts.clock);
  }

  current(): ReturnType<ServedPair['current']> {
    return this.#served.current();
  }

  onChange(listener: () => void): () => void {
    return this.#served.onChange(listener);
  }

  get state(): IdentityState {
    const leaf = this.#served.pair?.leaf;
    return {
      subject: leaf?.commonName,
      notAfter: leaf?.notAfter,
      nextRotation: undefined,
      trouble: this.#trouble ?? (leaf && clockDoubt(leaf, this.#parts.clock.now())),
    };
  }

  async run(signal: AbortSignal): Promise<never> {
    const watcher = new FolderWatcher(
      () => this.#alarm.ring(),
      (folder, error) => this.#parts.log.debug({ folder, err: error }, 'cannot watch the folder'),
    );
    try {
      const folders = new Set([dirname(this.#files.certFile), dirname(this.#files.keyFile)]);
      for (;;) {
        const isNew = await watcher.set([...folders].map((folder) => ({ folder })));
        await this.#look(signal);
        if (!isNew) await this.#alarm.wait(LOOK_MS, signal);
        await sleep(this.#parts.clock, SETTLE_MS, signal);
      }
    } finally {
      watcher.close();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.prepare?.(signal);
      const pair = await this.#read();
      this.#trouble = undefined;
      if (!this.#served.set(pair)) return;
      this.#parts.log.info(
        { subject: pair.leaf.commonName, notAfter: time(pair.leaf.notAfter) },
        'serving certificate',
      );
    } catch (error) {
      signal.throwIfAborted();
      const reason = describeError(error);
      if (this.#trouble !== reason) this.#parts.log.warn({ reason }, 'no usable serving certificate');
      this.#trouble = reason;
    }
  }

  async #read(): Promise<CheckedPair> {
    const { certFile, keyFile } = this.#files;
    const [cert, key] = [await readText(certFile), await readText(keyFile)];
    if (cert === undefined) throw new CertificateError(`${certFile} does not exist`);
    if (key === undefined) throw new CertificateError(`${keyFile} does not exist`);
    return parsePair(cert, key, `${certFile}, ${keyFile}`);
  }
}

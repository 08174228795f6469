import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ensureDir, listDir, readText, removeFile, writeAtomic } from '#host/files.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { decodeIntent, decodePulled, encodeIntent, encodePulled } from './format.ts';
import type { PullIntent, PulledRecord } from './format.ts';

const PREFIX = 'sha256-';

/** A record's file name, as upstream's: of the image's name for intents, of its ID for pulled images. */
export const recordFileName = (key: string): string =>
  PREFIX + createHash('sha256').update(key).digest('hex');

/** The records on disk: `ROOT/image_manager/{pulling,pulled}`, shared with kubelet. */
export class RecordFiles {
  readonly #pulling: string;
  readonly #pulled: string;
  readonly #logger: Logger;

  constructor(root: string, logger: Logger) {
    this.#pulling = join(root, 'image_manager', 'pulling');
    this.#pulled = join(root, 'image_manager', 'pulled');
    this.#logger = logger;
  }

  /** Makes the folders and removes the drafts that a killed process left. */
  async prepare(): Promise<void> {
    for (const dir of [this.#pulling, this.#pulled]) {
      await ensureDir(dir, 0o700);
      const drafts = ((await listDir(dir)) ?? []).filter(
        ({ name }) => name.startsWith(`.${PREFIX}`) || (name.startsWith(PREFIX) && name.endsWith('.tmp')),
      );
      for (const { name } of drafts) await removeFile(join(dir, name));
    }
  }

  writeIntent(image: string): Promise<void> {
    return writeAtomic(join(this.#pulling, recordFileName(image)), encodeIntent({ image }), 0o600);
  }

  removeIntent(image: string): Promise<void> {
    return removeFile(join(this.#pulling, recordFileName(image)));
  }

  /** Whether a pull of the image was begun and not seen to its end. Rejects with RecordError. */
  async hasIntent(image: string): Promise<boolean> {
    const text = await readText(join(this.#pulling, recordFileName(image)));
    return text !== undefined && decodeIntent(text).image === image;
  }

  intents(): Promise<PullIntent[]> {
    return this.#all(this.#pulling, decodeIntent);
  }

  /** Rejects with RecordError where the file is there but can't be understood. */
  async pulled(imageId: string): Promise<PulledRecord | undefined> {
    const text = await readText(join(this.#pulled, recordFileName(imageId)));
    const record = text === undefined ? undefined : decodePulled(text);
    return record?.imageRef === imageId ? record : undefined;
  }

  writePulled(record: PulledRecord): Promise<void> {
    return writeAtomic(join(this.#pulled, recordFileName(record.imageRef)), encodePulled(record), 0o600);
  }

  removePulled(imageId: string): Promise<void> {
    return removeFile(join(this.#pulled, recordFileName(imageId)));
  }

  allPulled(): Promise<PulledRecord[]> {
    return this.#all(this.#pulled, decodePulled);
  }

  async #all<T>(dir: string, decode: (text: string) => T): Promise<T[]> {
    const found: T[] = [];
    for (const entry of (await listDir(dir)) ?? []) {
      if (!entry.isFile() || !/^sha256-[0-9a-f]{64}$/.test(entry.name)) continue;
      const file = join(dir, entry.name);
      try {
        const text = await readText(file);
        if (text !== undefined) found.push(decode(text));
      } catch (error) {
        this.#logger.warn({ file, problem: describeError(error) }, 'a record of pulled images is left alone');
      }
    }
    return found;
  }
}

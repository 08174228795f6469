import { join } from 'node:path';
import { ensureDir, listDir, readText, removeFile, writeAtomic } from '#host/files.ts';
import type { Logger } from '#lib/logger.ts';
import { type Paths, podDir, podsDir } from '../paths.ts';
import type { PodRecord } from './record.ts';

const FILE = 'nodelet.json';

/** Keeps pod records in `ROOT/pods/UID/nodelet.json`: readable by root alone, since a spec may hold secrets. */
export class RecordStore {
  readonly #paths: Paths;
  readonly #log: Logger;
  /** What the file holds, to write only what changed. */
  readonly #written = new Map<string, string>();

  constructor(paths: Paths, log: Logger) {
    this.#paths = paths;
    this.#log = log;
  }

  /** The pod's record; undefined where there is none or it can't be read (then the runtime alone tells). */
  async read(uid: string): Promise<PodRecord | undefined> {
    const text = await readText(this.#file(uid));
    if (text === undefined) return undefined;
    try {
      const record = JSON.parse(text) as PodRecord;
      if (record.version !== 1 || record.pod?.metadata?.uid !== uid)
        throw new SyntaxError('not a record of this pod');
      this.#written.set(uid, text);
      return record;
    } catch (error) {
      this.#log.warn({ err: error, file: this.#file(uid) }, 'the pod record is damaged and is ignored');
      return undefined;
    }
  }

  /** Writes the record if it differs from what is on disk. */
  async write(record: PodRecord): Promise<void> {
    const uid = record.pod.metadata.uid;
    const text = JSON.stringify(record);
    if (this.#written.get(uid) === text) return;
    if (!this.#written.has(uid)) await ensureDir(podDir(this.#paths, uid), 0o750);
    await writeAtomic(this.#file(uid), text, 0o600);
    this.#written.set(uid, text);
  }

  async remove(uid: string): Promise<void> {
    this.#written.delete(uid);
    await removeFile(this.#file(uid));
  }

  /** The UIDs of all pods that have a directory here, with a record or without. */
  async uids(): Promise<string[]> {
    const entries = (await listDir(podsDir(this.#paths))) ?? [];
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  }

  #file(uid: string): string {
    return join(podDir(this.#paths, uid), FILE);
  }
}

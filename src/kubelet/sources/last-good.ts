/**
 * The last good version of every manifest, kept on disk for the agent's next start: what runs on when a manifest is
 * broken then, and which UIDs its pods have. Manifests may hold secrets in plain text, so only root may read it.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ensureDir, listDir, readText, removeFile, writeAtomic } from '#host/files.ts';
import type { Logger } from '#lib/logger.ts';
import type { Pod } from '#lib/kube/types.ts';
import { validateConfigMap, validateSecret } from '#lib/kube/validation/objects.ts';
import { validatePod } from '#lib/kube/validation/pod.ts';
import type { LocalObject } from '../objects/local-object.ts';
import type { PodKey } from './manifest-pods.ts';

export interface RecordedPod {
  key: PodKey;
  /** What `staticPodHash` said of the words that the manifest has for it. */
  hash: string;
  uid: string;
  /** With defaults, without identity. */
  pod: Pod;
}

export interface ManifestRecord {
  version: 1;
  /** The file or URL. */
  origin: string;
  nodeName: string;
  /** SHA-256 of the text that was wholly in force. */
  digest: string;
  pods: RecordedPod[];
  objects?: LocalObject[];
}

const PARALLEL_FILES = 16;

const fileNameOf = (origin: string): string =>
  `${createHash('sha256').update(origin).digest('hex').slice(0, 40)}.json`;

export class LastGoodStore {
  readonly #dir: string;
  readonly #logger: Logger;

  /** `dir` belongs to one source alone; it is made when first needed. */
  constructor(dir: string, logger: Logger) {
    this.#dir = dir;
    this.#logger = logger;
  }

  /** Every readable record of this node, by origin. */
  async load(nodeName: string): Promise<Map<string, ManifestRecord>> {
    const result = new Map<string, ManifestRecord>();
    for (const entry of await this.#list()) {
      const path = join(this.#dir, entry);
      try {
        const record = parseRecord((await readText(path)) ?? '');
        if (record.nodeName === nodeName) result.set(record.origin, record);
      } catch (error) {
        this.#logger.warn({ path, err: error }, 'a kept manifest cannot be read and is left out');
      }
    }
    return result;
  }

  /** Keeps the records; a failure is logged only: the manifests themselves are what counts. */
  async saveAll(records: readonly ManifestRecord[]): Promise<void> {
    if (records.length === 0) return;
    try {
      await ensureDir(this.#dir, 0o700);
    } catch (error) {
      this.#logger.warn({ path: this.#dir, err: error }, 'the last good manifests cannot be kept');
      return;
    }
    for (let i = 0; i < records.length; i += PARALLEL_FILES) {
      await Promise.all(records.slice(i, i + PARALLEL_FILES).map((record) => this.#save(record)));
    }
  }

  async #save(record: ManifestRecord): Promise<void> {
    try {
      await writeAtomic(join(this.#dir, fileNameOf(record.origin)), JSON.stringify(record), 0o600);
    } catch (error) {
      this.#logger.warn({ origin: record.origin, err: error }, 'the last good manifest cannot be kept');
    }
  }

  async remove(origin: string): Promise<void> {
    try {
      await removeFile(join(this.#dir, fileNameOf(origin)));
    } catch (error) {
      this.#logger.warn({ origin, err: error }, 'a kept manifest cannot be removed');
    }
  }

  async #list(): Promise<string[]> {
    try {
      const names = ((await listDir(this.#dir)) ?? []).map((entry) => entry.name);
      // Drafts of a write that the agent's end cut short.
      for (const name of names)
        if (/^\.[0-9a-f]{40}\.json\..*new$/.test(name)) await removeFile(join(this.#dir, name));
      return names.filter((name) => /^[0-9a-f]{40}\.json$/.test(name));
    } catch (error) {
      this.#logger.warn({ path: this.#dir, err: error }, 'the kept manifests cannot be listed');
      return [];
    }
  }
}

function isGoodObject(local: LocalObject): boolean {
  const found = local.kind === 'Secret' ? validateSecret(local.object) : validateConfigMap(local.object);
  return found.length === 0;
}

/** Throws on anything that isn't a whole record. What today's rules refuse is left out. */
function parseRecord(text: string): ManifestRecord {
  const value = JSON.parse(text) as Partial<ManifestRecord> | null;
  const { version, origin, nodeName, digest, pods, objects = [] } = value ?? {};
  const strings = [origin, nodeName, digest].every((each) => typeof each === 'string');
  if (version !== 1 || !strings || !Array.isArray(pods) || !Array.isArray(objects))
    throw new SyntaxError('not a record of version 1');
  const good = pods.filter(
    ({ key, hash, uid, pod }) =>
      [key, hash, uid].every((each) => typeof each === 'string') &&
      pod.spec !== undefined &&
      validatePod(pod).length === 0,
  );
  return {
    version,
    origin: origin ?? '',
    nodeName: nodeName ?? '',
    digest: digest ?? '',
    pods: good,
    objects: objects.filter(isGoodObject),
  };
}

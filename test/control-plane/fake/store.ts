import type { Resource } from '#lib/kube/client.ts';
import { kindOf } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { freeze } from './object.ts';
import type { KubeObject } from './object.ts';

/** One write. A removed object has no `after`; its last state carries the revision of the removal in `removed`. */
export interface Change {
  revision: number;
  kind: Kind;
  before?: KubeObject;
  after?: KubeObject;
  removed?: KubeObject;
}

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;

const withRevision = (object: KubeObject, revision: number): KubeObject =>
  freeze({ ...object, metadata: { ...object.metadata, resourceVersion: `${revision}` } });

/** Objects in memory under one counter of revisions, and the newest of their changes for watches. */
export class Store {
  readonly #objects = new Map<Kind, Map<string, KubeObject>>();
  readonly #watchers = new Set<(change: Change) => void>();
  readonly #limit: number;
  #changes: Change[] = [];
  #revision = 1;
  #compacted = 1;

  /** Keeps at least `limit` changes; older ones may be asked for in vain, as after a compaction. */
  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  get revision(): number {
    return this.#revision;
  }

  get(resource: Resource, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.get(kindOf(resource))?.get(keyOf(namespace, name));
  }

  /** In the order of namespace and name. */
  list(resource: Resource, namespace?: string): KubeObject[] {
    const all = [...(this.#objects.get(kindOf(resource)) ?? [])];
    return all
      .filter(([key]) => namespace === undefined || key.startsWith(`${namespace}/`))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  put(resource: Resource, object: KubeObject): KubeObject {
    const kind = kindOf(resource);
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const objects = this.#objects.get(kind) ?? new Map<string, KubeObject>();
    this.#objects.set(kind, objects);
    const before = objects.get(key);
    const after = withRevision(structuredClone(object), (this.#revision += 1));
    objects.set(key, after);
    this.#tell({ revision: this.#revision, kind, after, ...(before === undefined ? {} : { before }) });
    return after;
  }

  remove(resource: Resource, namespace: string | undefined, name: string): KubeObject | undefined {
    const kind = kindOf(resource);
    const key = keyOf(namespace, name);
    const before = this.#objects.get(kind)?.get(key);
    if (before === undefined) return undefined;
    this.#objects.get(kind)?.delete(key);
    const removed = withRevision(before, (this.#revision += 1));
    this.#tell({ revision: this.#revision, kind, before, removed });
    return removed;
  }

  /** All changes after a revision, or undefined where they are no longer known. */
  since(revision: number): Change[] | undefined {
    if (revision < this.#compacted) return undefined;
    return this.#changes.filter((change) => change.revision > revision);
  }

  /** Forgets all changes so far: watches from an older revision are told 410. */
  compact(): void {
    this.#changes = [];
    this.#compacted = this.#revision;
  }

  onChange(handler: (change: Change) => void): () => void {
    this.#watchers.add(handler);
    return () => void this.#watchers.delete(handler);
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    if (this.#changes.length > 2 * this.#limit) {
      const dropped = this.#changes.splice(0, this.#limit);
      this.#compacted = dropped.at(-1)?.revision ?? this.#compacted;
    }
    for (const watcher of this.#watchers) watcher(change);
  }
}

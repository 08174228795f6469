import type { AgentPod } from '#lib/kube/types.ts';
import type { ManifestProblem } from '#server/view.ts';
import { type ServedObject, localKey } from './objects/local-object.ts';
import { doubledObject } from './sources/merge.ts';
import type { PodSource, SourceUpdate } from './sources/source.ts';

/** All sources of pods as one: the union of what each wants. */
export class SourceMux {
  readonly #sources: readonly PodSource[];
  readonly #updates = new Map<PodSource, SourceUpdate>();
  #objects: readonly ServedObject[] = [];
  #doubled: readonly ManifestProblem[] = [];

  constructor(sources: readonly PodSource[]) {
    this.#sources = sources;
  }

  /** Starts every source; `onChange` is called with the whole set after each update. */
  async start(onChange: (pods: AgentPod[]) => void): Promise<void> {
    await Promise.all(
      this.#sources.map((source) =>
        source.start((update) => {
          this.#updates.set(source, update);
          this.#mergeObjects();
          onChange(this.#pods());
        }),
      ),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.stop()));
  }

  /** Whether every source has told what it wants: until then nothing may be taken for unwanted. */
  get isComplete(): boolean {
    return this.#sources.every((source) => this.#isSeen(source));
  }

  /**
   * Whether everything has been told that may want a pod of this origin (`file`, `http` or `api`; undefined where that
   * isn't known): manifests say all about their own pods, also while the API server is away.
   */
  isCompleteFor(kind: string | undefined): boolean {
    if (kind !== 'file' && kind !== 'http') return this.isComplete;
    return this.#sources.every((source) => source.kind === 'api' || this.#isSeen(source));
  }

  problems(): ManifestProblem[] {
    return [...[...this.#updates.values()].flatMap((update) => update.problems), ...this.#doubled];
  }

  /** ConfigMaps and Secrets of manifests, one of a name: the first source's. */
  objects(): readonly ServedObject[] {
    return this.#objects;
  }

  #mergeObjects(): void {
    const all = new Map<string, ServedObject>();
    const doubled: ManifestProblem[] = [];
    for (const object of this.#sources.flatMap((source) => this.#updates.get(source)?.objects ?? [])) {
      const first = all.get(localKey(object));
      if (first === undefined) all.set(localKey(object), object);
      else doubled.push(doubledObject(object, first));
    }
    this.#objects = [...all.values()];
    this.#doubled = doubled;
  }

  /** Where a pod comes from, for people. */
  originOf(uid: string): string {
    for (const [source, update] of this.#updates) {
      const origin = update.origins?.get(uid);
      if (origin !== undefined) return origin;
      if (update.pods.some((pod) => pod.metadata.uid === uid)) return source.name;
    }
    return 'an earlier run of the agent';
  }

  #isSeen(source: PodSource): boolean {
    const update = this.#updates.get(source);
    return update !== undefined && update.provisional !== true;
  }

  #pods(): AgentPod[] {
    // In the order of the sources: where two want a pod of one name, the first has it.
    return this.#sources.flatMap((source) => this.#updates.get(source)?.pods ?? []);
  }
}

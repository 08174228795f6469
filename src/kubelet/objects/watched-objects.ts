import type { Clock } from '#lib/clock.ts';
import { type ObjectWatch, type ObjectWatches, resources } from '#lib/kube/client.ts';
import type { Referenced } from '#lib/kube/referenced.ts';
import type { AgentPod, ConfigMap, Secret } from '#lib/kube/types.ts';
import type { PodObjects } from './ports.ts';
import { ReferenceIndex } from './reference-index.ts';
import { type ObjectReference, type ReferenceKind, referenceKey } from './references.ts';
import { SETTLE_MS, withinMs } from './within.ts';

const RESOURCES = { ConfigMap: resources.configMaps, Secret: resources.secrets };

/** The named objects as the API server has them: a watch each, for as long as a pod names it. */
export class WatchedObjects implements PodObjects {
  readonly #watches: ObjectWatches;
  readonly #clock: Clock;
  readonly #index = new ReferenceIndex();
  readonly #held = new Map<string, ObjectWatch<ConfigMap | Secret>>();
  readonly #handlers: ((podUid: string) => void)[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(watches: ObjectWatches, clock: Clock) {
    this.#watches = watches;
    this.#clock = clock;
  }

  register(pod: AgentPod): void {
    const { added, removed } = this.#index.put(pod);
    for (const reference of added) this.#watch(reference);
    this.#end(removed);
  }

  release(podUid: string): void {
    this.#end(this.#index.remove(podUid));
  }

  configMap(namespace: string, name: string): Referenced<ConfigMap> {
    return this.#find<ConfigMap>('ConfigMap', namespace, name);
  }

  secret(namespace: string, name: string): Referenced<Secret> {
    return this.#find<Secret>('Secret', namespace, name);
  }

  async settled(podUid: string, signal: AbortSignal): Promise<void> {
    if (this.#isKnown(podUid)) return;
    // A refusal isn't the last word: an API server lets a node read a new pod's objects a moment after it names the pod.
    const known = (): boolean => this.#isKnown(podUid);
    await withinMs(this.#clock, SETTLE_MS, signal, (soon) => this.#until(known, soon));
  }

  #isKnown(podUid: string): boolean {
    return this.#index.keysOf(podUid).every((key) => this.#held.get(key)?.get().state !== 'unknown');
  }

  /** Rejects with the signal's reason. */
  async #until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (holds()) end(resolve);
      };
      const abort = (): void => end(() => reject(signal.reason as Error));
      const end = (finish: () => void): void => {
        this.#waiting.delete(look);
        signal.removeEventListener('abort', abort);
        finish();
      };
      this.#waiting.add(look);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  onChange(handler: (podUid: string) => void): void {
    this.#handlers.push(handler);
  }

  #watch(reference: ObjectReference): void {
    const { kind, namespace, name } = reference;
    const key = referenceKey(reference);
    const watch = this.#watches.acquire<ConfigMap | Secret>(RESOURCES[kind], { namespace, name }, () => {
      for (const uid of this.#index.usersOf(key)) for (const handler of this.#handlers) handler(uid);
      for (const look of this.#waiting) look();
    });
    this.#held.set(key, watch);
  }

  #end(keys: readonly string[]): void {
    for (const key of keys) {
      this.#held.get(key)?.release();
      this.#held.delete(key);
    }
  }

  #find<T extends ConfigMap | Secret>(kind: ReferenceKind, namespace: string, name: string): Referenced<T> {
    const watch = this.#held.get(referenceKey({ kind, namespace, name }));
    if (watch === undefined) return { state: 'unknown' };
    const view = watch.get();
    if (view.state === 'unknown') return { state: 'unknown', trouble: watch.trouble };
    // The kind in the key says which of the two it is.
    return view as Referenced<T>;
  }
}

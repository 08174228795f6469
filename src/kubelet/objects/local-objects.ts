import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#lib/clock.ts';
import { NodeletError } from '#lib/errors.ts';
import type { Referenced } from '#lib/kube/referenced.ts';
import type { AgentPod, ConfigMap, Secret } from '#lib/kube/types.ts';
import { withoutPlainText } from './local-object.ts';
import type { PodObjects } from './ports.ts';
import { ReferenceIndex } from './reference-index.ts';
import { type ReferenceKind, allReferences, referenceKey } from './references.ts';
import { SETTLE_MS, withinMs } from './within.ts';

class NotReadError extends NodeletError {
  readonly code = 'NOT_READ';
}

const notReadYet = {
  state: 'unknown',
  trouble: new NotReadError('not every source of manifests has been read yet', { retryable: true }),
} satisfies Referenced<never>;

/**
 * ConfigMaps and Secrets that this node has without an API server: whoever reads them (from manifests, in a test) sets
 * them as a whole.
 */
export class LocalObjects implements PodObjects {
  readonly #index = new ReferenceIndex(allReferences);
  readonly #handlers: ((podUid: string) => void)[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #clock: Clock | undefined;
  #objects: ReadonlyMap<string, ConfigMap | Secret> = new Map();
  #isComplete = false;

  /** Without a clock nobody is held up until all is known. */
  constructor(clock?: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes the whole set. Until it has been complete (as it is unless said otherwise), an object that isn't in it may
   * still come.
   */
  replace(objects: {
    configMaps?: readonly ConfigMap[];
    secrets?: readonly Secret[];
    isComplete?: boolean;
  }): void {
    const before = this.#objects;
    const now = new Map<string, ConfigMap | Secret>();
    for (const object of objects.configMaps ?? []) now.set(keyOf('ConfigMap', object), object);
    for (const object of objects.secrets ?? []) now.set(keyOf('Secret', object), withoutPlainText(object));
    for (const [key, object] of now) {
      const known = before.get(key);
      if (known !== undefined && isDeepStrictEqual(known, object)) now.set(key, known);
    }
    this.#objects = now;
    const wasComplete = this.#isComplete;
    this.#isComplete ||= objects.isComplete ?? true;
    const isNews = (key: string): boolean =>
      before.get(key) !== now.get(key) || (!now.has(key) && this.#isComplete !== wasComplete);
    const users = new Set(
      this.#index
        .keys()
        .filter(isNews)
        .flatMap((key) => this.#index.usersOf(key)),
    );
    for (const uid of users) for (const handler of this.#handlers) handler(uid);
    if (this.#isComplete) for (const go of this.#waiting) go();
  }

  register(pod: AgentPod): void {
    this.#index.put(pod);
  }

  release(podUid: string): void {
    this.#index.remove(podUid);
  }

  configMap(namespace: string, name: string): Referenced<ConfigMap> {
    return this.#find<ConfigMap>('ConfigMap', namespace, name);
  }

  secret(namespace: string, name: string): Referenced<Secret> {
    return this.#find<Secret>('Secret', namespace, name);
  }

  async settled(podUid: string, signal: AbortSignal): Promise<void> {
    const isKnown = this.#isComplete || this.#index.keysOf(podUid).every((key) => this.#objects.has(key));
    if (isKnown || this.#clock === undefined) return;
    await withinMs(this.#clock, SETTLE_MS, signal, (soon) => this.#completed(soon));
  }

  /** Rejects with the signal's reason. */
  async #completed(signal: AbortSignal): Promise<void> {
    let go: () => void = () => undefined;
    let stop: () => void = () => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        go = resolve;
        stop = () => reject(signal.reason as Error);
        this.#waiting.add(go);
        signal.addEventListener('abort', stop, { once: true });
      });
    } finally {
      this.#waiting.delete(go);
      signal.removeEventListener('abort', stop);
    }
  }

  onChange(handler: (podUid: string) => void): void {
    this.#handlers.push(handler);
  }

  #find<T extends ConfigMap | Secret>(kind: ReferenceKind, namespace: string, name: string): Referenced<T> {
    const object = this.#objects.get(referenceKey({ kind, namespace, name }));
    // The kind in the key says which of the two it is.
    if (object !== undefined) return { state: 'present', object: object as T };
    return this.#isComplete ? { state: 'absent' } : notReadYet;
  }
}

const keyOf = (kind: ReferenceKind, { metadata }: ConfigMap | Secret): string =>
  referenceKey({ kind, namespace: metadata?.namespace ?? 'default', name: metadata?.name ?? '' });

import { isDeepStrictEqual } from 'node:util';
import type { Referenced } from '#lib/kube/referenced.ts';
import type { AgentPod, ConfigMap, Secret } from '#lib/kube/types.ts';
import type { PodObjects } from './ports.ts';
import { ReferenceIndex } from './reference-index.ts';
import { type ReferenceKind, referenceKey } from './references.ts';

/**
 * ConfigMaps and Secrets that this node has without an API server: whoever reads them (from manifests, in a test) sets
 * them as a whole.
 */
export class LocalObjects implements PodObjects {
  readonly #index = new ReferenceIndex();
  readonly #handlers: ((podUid: string) => void)[] = [];
  #objects: ReadonlyMap<string, ConfigMap | Secret> | undefined;

  /** Takes the whole set. Until the first time nothing is known of any object. */
  replace(objects: { configMaps?: readonly ConfigMap[]; secrets?: readonly Secret[] }): void {
    const before = this.#objects;
    const now = new Map<string, ConfigMap | Secret>();
    for (const object of objects.configMaps ?? []) now.set(keyOf('ConfigMap', object), object);
    for (const object of objects.secrets ?? []) now.set(keyOf('Secret', object), withoutPlainText(object));
    for (const [key, object] of now) {
      const known = before?.get(key);
      if (known !== undefined && isDeepStrictEqual(known, object)) now.set(key, known);
    }
    this.#objects = now;
    const changed = this.#index
      .keys()
      .filter((key) => before === undefined || before.get(key) !== now.get(key));
    const users = new Set(changed.flatMap((key) => this.#index.usersOf(key)));
    for (const uid of users) for (const handler of this.#handlers) handler(uid);
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

  settled(): Promise<void> {
    return Promise.resolve();
  }

  onChange(handler: (podUid: string) => void): void {
    this.#handlers.push(handler);
  }

  #find<T extends ConfigMap | Secret>(kind: ReferenceKind, namespace: string, name: string): Referenced<T> {
    if (this.#objects === undefined) return { state: 'unknown' };
    const object = this.#objects.get(referenceKey({ kind, namespace, name }));
    // The kind in the key says which of the two it is.
    return object === undefined ? { state: 'absent' } : { state: 'present', object: object as T };
  }
}

const keyOf = (kind: ReferenceKind, { metadata }: ConfigMap | Secret): string =>
  referenceKey({ kind, namespace: metadata?.namespace ?? 'default', name: metadata?.name ?? '' });

/** `stringData` moved into `data`, over which it wins, as an API server does. */
function withoutPlainText({ stringData, ...secret }: Secret): Secret {
  if (stringData === undefined) return secret;
  const encoded = Object.entries(stringData).map(([key, text]): [string, string] => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  return { ...secret, data: { ...secret.data, ...Object.fromEntries(encoded) } };
}

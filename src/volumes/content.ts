/** What the files of configMap, secret, downwardAPI and projected volumes hold: no effects but asking for tokens. */
import type { DirContent, DirFile } from '#host/atomic-dir.ts';
import { type ReferencedObjects, MissingReferenceError, requireObject } from '#lib/kube/referenced.ts';
import { containerNamed, metadataField, resourceField } from '#lib/kube/downward.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { AgentPod, Volume } from '#lib/kube/types.ts';

/** A token for the pod's service account, as a projected volume asks for it. */
export interface TokenWish {
  /** Absent or empty: the API server itself. */
  audience?: string | undefined;
  expirationSeconds: number;
}

export interface ServiceAccountTokens {
  /** A token that is good for a while yet; who wants it renewed asks again. Rejects where there is none to be had. */
  token(pod: AgentPod, wish: TokenWish, signal: AbortSignal): Promise<string>;
}

/** Where the content comes from. */
export interface ContentSources {
  objects: ReferencedObjects;
  /** Undefined where there is no API server to ask. */
  tokens: ServiceAccountTokens | undefined;
  /** What pods may use of this node. */
  allocatable(): ResourceAmounts;
}

export type KeyItem = NonNullable<NonNullable<Volume['secret']>['items']>[number];
type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

export const DEFAULT_MODE = 0o644;

interface KeySelection {
  items?: KeyItem[] | undefined;
  isOptional: boolean;
  defaultMode: number;
}

/** Every key as a file, or those that `items` names; `missing` words the error for a key that isn't there. */
function select(
  values: ReadonlyMap<string, () => Uint8Array>,
  { items, isOptional, defaultMode }: KeySelection,
  missing: (key: string) => string,
): DirContent {
  const files = new Map<string, DirFile>();
  if (items === undefined || items.length === 0) {
    for (const [key, data] of values) files.set(key, { data: data(), mode: defaultMode });
    return files;
  }
  for (const { key, path, mode } of items) {
    const data = values.get(key);
    if (data !== undefined) files.set(path, { data: data(), mode: mode ?? defaultMode });
    else if (!isOptional) throw new MissingReferenceError(missing(key));
  }
  return files;
}

export function configMapContent(
  objects: ReferencedObjects,
  namespace: string,
  name: string,
  selection: KeySelection,
): DirContent {
  const object = requireObject(objects.configMap(namespace, name), 'configmap', name, selection.isOptional);
  const values = new Map<string, () => Uint8Array>();
  for (const [key, base64] of Object.entries(object?.binaryData ?? {}))
    values.set(key, () => Buffer.from(base64, 'base64'));
  for (const [key, text] of Object.entries(object?.data ?? {})) values.set(key, () => Buffer.from(text));
  return select(values, selection, (key) => `configmap references non-existent config key: ${key}`);
}

export function secretContent(
  objects: ReferencedObjects,
  namespace: string,
  name: string,
  selection: KeySelection,
): DirContent {
  const object = requireObject(objects.secret(namespace, name), 'secret', name, selection.isOptional);
  const values = new Map(
    Object.entries(object?.data ?? {}).map(([key, base64]): [string, () => Uint8Array] => [
      key,
      () => Buffer.from(base64, 'base64'),
    ]),
  );
  return select(values, selection, (key) => `references non-existent secret key: ${key}`);
}

export function downwardContent(
  pod: AgentPod,
  items: readonly DownwardItem[] | undefined,
  defaultMode: number,
  allocatable: () => ResourceAmounts,
): DirContent {
  const files = new Map<string, DirFile>();
  for (const { path, mode, fieldRef, resourceFieldRef } of items ?? []) {
    let text = '';
    if (fieldRef !== undefined) text = metadataField(pod, fieldRef.fieldPath);
    else if (resourceFieldRef !== undefined) {
      const container = containerNamed(pod, resourceFieldRef.containerName ?? '');
      text = resourceField(container, resourceFieldRef, allocatable());
    }
    files.set(path, { data: Buffer.from(text), mode: mode ?? defaultMode });
  }
  return files;
}

import type { ConfigMap, Secret } from '#lib/kube/types.ts';
import { referenceKey } from './references.ts';

/** An object that this node has without an API server. */
export type LocalObject = { kind: 'ConfigMap'; object: ConfigMap } | { kind: 'Secret'; object: Secret };

/** A local object and the file or URL that it comes from. */
export type ServedObject = LocalObject & { origin: string };

/** Whether a key is an object's: a pod's, `NAMESPACE/NAME`, has no blank. */
export const isObjectKey = (key: string): boolean => key.includes(' ');

/** `KIND NAMESPACE/NAME`. */
export const localKey = ({ kind, object: { metadata } }: LocalObject): string =>
  referenceKey({ kind, namespace: metadata?.namespace ?? 'default', name: metadata?.name ?? '' });

export function byKind(objects: readonly LocalObject[]): { configMaps: ConfigMap[]; secrets: Secret[] } {
  return {
    configMaps: objects.flatMap((each) => (each.kind === 'ConfigMap' ? [each.object] : [])),
    secrets: objects.flatMap((each) => (each.kind === 'Secret' ? [each.object] : [])),
  };
}

/** `stringData` moved into `data`, over which it wins, as an API server does. */
export function withoutPlainText({ stringData, ...secret }: Secret): Secret {
  if (stringData === undefined) return secret;
  const encoded = Object.entries(stringData).map(([key, text]): [string, string] => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  return { ...secret, data: { ...secret.data, ...Object.fromEntries(encoded) } };
}

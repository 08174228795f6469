/** From a document of a manifest to the ConfigMap or Secret in it, judged; nothing told of it shows a Secret's value. */
import type { ConfigMap, ObjectMeta, Secret } from '#lib/kube/types.ts';
import { Field } from '#lib/kube/validation/field.ts';
import type { Finding } from '#lib/kube/validation/field.ts';
import { validateConfigMap, validateSecret } from '#lib/kube/validation/objects.ts';
import { withoutConsequences } from '#lib/kube/validation/pod.ts';
import { conform } from '#lib/kube/validation/shape.ts';
import { type LocalObject, localKey, withoutPlainText } from '../objects/local-object.ts';
import type { ManifestObject } from './decode.ts';

export interface ReadObject {
  local: LocalObject;
  /** `KIND NAMESPACE/NAME`; undefined for an object without a name. */
  key: string | undefined;
  /** Without an error among them the object is good. */
  findings: Finding[];
}

export const isLocalKind = (kind: string): kind is LocalObject['kind'] =>
  kind === 'ConfigMap' || kind === 'Secret';

export function readObject(kind: LocalObject['kind'], { value }: ManifestObject): ReadObject {
  const shape = new Field();
  const read = (conform(value, kind, shape) ?? {}) as ConfigMap & Secret;
  const local = kind === 'Secret' ? secret(read) : configMap(read);
  const judged = local.kind === 'Secret' ? validateSecret(local.object) : validateConfigMap(local.object);
  const findings = [...shape.findings, ...withoutConsequences(judged, shape.findings)];
  return {
    local,
    key: local.object.metadata?.name ? localKey(local) : undefined,
    findings: kind === 'Secret' ? findings.map(withoutValue) : findings,
  };
}

function configMap({ metadata, data, binaryData, immutable }: ConfigMap): LocalObject {
  return {
    kind: 'ConfigMap',
    object: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: ownMetadata(metadata),
      ...(data === undefined ? {} : { data }),
      ...(binaryData === undefined ? {} : { binaryData }),
      ...(immutable === undefined ? {} : { immutable }),
    },
  };
}

function secret({ metadata, data, stringData, type, immutable }: Secret): LocalObject {
  return {
    kind: 'Secret',
    object: withoutPlainText({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: ownMetadata(metadata),
      type: type || 'Opaque',
      ...(data === undefined ? {} : { data }),
      ...(stringData === undefined ? {} : { stringData }),
      ...(immutable === undefined ? {} : { immutable }),
    }),
  };
}

/** What the writer says; the rest is left over from `kubectl get -o yaml`. */
function ownMetadata({ name, namespace, labels, annotations }: ObjectMeta = {}): ObjectMeta {
  // kubectl keeps a copy of a whole Secret there, in plain sight.
  const kept = Object.entries(annotations ?? {}).filter(
    ([key]) => key !== 'kubectl.kubernetes.io/last-applied-configuration',
  );
  return {
    ...(name === undefined ? {} : { name }),
    namespace: namespace || 'default',
    ...(labels === undefined ? {} : { labels }),
    ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
  };
}

/** Of a Secret people are told where something is wrong, never with what. */
function withoutValue({ value, ...finding }: Finding): Finding {
  const { path } = finding;
  if (path[0] === 'stringData' && path.length > 1)
    return { ...finding, message: 'must be text: numbers, true, false, yes and no need quotes here' };
  const isShown = (path[0] === 'metadata' && path[1] !== 'annotations') || value === path.at(-1);
  return value === undefined || !isShown ? finding : { ...finding, value };
}

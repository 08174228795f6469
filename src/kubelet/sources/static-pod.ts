/** What makes a manifest's Pod this node's static pod: its name, its UID, its marks. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '#lib/kube/canonical.ts';
import type { AgentPod, Pod, PodSourceName, PodSpec } from '#lib/kube/types.ts';

const CONFIG = 'kubernetes.io/config.';
export const CONFIG_HASH = `${CONFIG}hash`;
export const CONFIG_SOURCE = `${CONFIG}source`;
export const CONFIG_SEEN = `${CONFIG}seen`;
/** Metadata that only a server sets; in a manifest it is left over from `kubectl get -o yaml`. */
const SERVER_FIELDS = [
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
] as const;

type Toleration = NonNullable<PodSpec['tolerations']>[number];

export interface StaticIdentity {
  nodeName: string;
  kind: PodSourceName;
}

/** What follows a static pod's name in the manifest, `-NODE`. */
export const staticNameSuffix = (nodeName: string): string => `-${nodeName.toLowerCase()}`;

/** A copy of the pod without status and without what servers and agents wrote into it. */
export function withoutForeignMarks(pod: Pod): Pod {
  const metadata = { ...pod.metadata };
  for (const key of SERVER_FIELDS) delete metadata[key];
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => !key.startsWith(CONFIG));
  if (annotations.length > 0) metadata.annotations = Object.fromEntries(annotations);
  else delete metadata.annotations;
  return {
    ...(pod.apiVersion === undefined ? {} : { apiVersion: pod.apiVersion }),
    ...(pod.kind === undefined ? {} : { kind: pod.kind }),
    metadata,
    ...(pod.spec === undefined ? {} : { spec: pod.spec }),
  };
}

/**
 * 32 hexadecimal digits, the same for the same words whatever the order of keys, on this node and from this kind of
 * source: tells versions of a pod apart, and is its UID where neither the manifest nor a running pod gives one.
 * `written` is the pod before defaults: these change with the agent's version, and no pod may restart for it.
 */
export function staticPodHash(written: Pod, { nodeName, kind }: StaticIdentity): string {
  const text = canonicalJson({ nodeName, kind, metadata: written.metadata, spec: written.spec });
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Upstream keeps static pods of files on a node whatever its taints. */
function tolerateEviction(tolerations: readonly Toleration[]): Toleration[] {
  // One toleration stands for another with the same key, effect, operator and value.
  const others = tolerations.filter(
    ({ key, value, operator, effect }) => key || value || operator !== 'Exists' || effect !== 'NoExecute',
  );
  return [...others, { operator: 'Exists', effect: 'NoExecute' }];
}

/** The pod as the agent runs it. `seen`: wall milliseconds when this version was first seen. */
export function toStaticPod(
  pod: Pod & { spec: PodSpec },
  uid: string,
  identity: StaticIdentity & { seen: number },
): AgentPod {
  const { nodeName, kind, seen } = identity;
  const { metadata = {}, spec } = pod;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name: `${metadata.name ?? ''}${staticNameSuffix(nodeName)}`,
      namespace: metadata.namespace ?? 'default',
      uid,
      annotations: {
        ...metadata.annotations,
        [CONFIG_HASH]: uid,
        [CONFIG_SEEN]: new Date(seen).toISOString(),
        [CONFIG_SOURCE]: kind,
      },
    },
    spec: {
      ...spec,
      nodeName,
      ...(kind === 'file' ? { tolerations: tolerateEviction(spec.tolerations ?? []) } : {}),
    },
    status: { phase: 'Pending' },
  };
}

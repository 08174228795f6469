import type { AgentPod, Container } from '#lib/kube/types.ts';
import { isStaticPod } from './static-pods.ts';

export type ReferenceKind = 'ConfigMap' | 'Secret';

/** A ConfigMap or Secret that a pod names; always in the pod's own namespace. */
export interface ObjectReference {
  kind: ReferenceKind;
  namespace: string;
  name: string;
}

export const referenceKey = ({ kind, namespace, name }: ObjectReference): string =>
  `${kind} ${namespace}/${name}`;

export type ReferencesOf = (pod: AgentPod) => Map<string, ObjectReference>;

/**
 * Every ConfigMap and Secret that the pod names, each once, by its key. A static pod's pull secrets aren't among them:
 * those are files of this node.
 */
export const podReferences: ReferencesOf = (pod) => references(pod, !isStaticPod(pod));

/** As `podReferences`, with the pull secrets: where those are objects of this node. */
export const allReferences: ReferencesOf = (pod) => references(pod, true);

function references(pod: AgentPod, withPullSecrets: boolean): Map<string, ObjectReference> {
  const found = new Map<string, ObjectReference>();
  const { namespace } = pod.metadata;
  const add = (kind: ReferenceKind, name: string | undefined): void => {
    if (name === undefined || name === '') return;
    const reference = { kind, namespace, name };
    found.set(referenceKey(reference), reference);
  };
  const { spec } = pod;
  if (withPullSecrets) for (const { name } of spec.imagePullSecrets ?? []) add('Secret', name);
  const containers: Pick<Container, 'env' | 'envFrom'>[] = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  for (const { env, envFrom } of containers) {
    for (const { valueFrom } of env ?? []) {
      add('ConfigMap', valueFrom?.configMapKeyRef?.name);
      add('Secret', valueFrom?.secretKeyRef?.name);
    }
    for (const { configMapRef, secretRef } of envFrom ?? []) {
      add('ConfigMap', configMapRef?.name);
      add('Secret', secretRef?.name);
    }
  }
  for (const { configMap, secret, projected } of spec.volumes ?? []) {
    add('ConfigMap', configMap?.name);
    add('Secret', secret?.secretName);
    for (const source of projected?.sources ?? []) {
      add('ConfigMap', source.configMap?.name);
      add('Secret', source.secret?.name);
    }
  }
  return found;
}

import type { AgentPod, Pod } from '#lib/kube/types.ts';
import { CONFIG_MIRROR } from '../pod/api-pod.ts';
import { CONFIG_HASH } from '../sources/static-pod.ts';

/**
 * The API object that stands for a static pod, as NodeRestriction takes it from a node: with one owner, the Node, as
 * controller.
 */
export function mirrorPod(pod: AgentPod, node: { name: string; uid: string }): Pod {
  const { name, namespace, labels, annotations } = pod.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [CONFIG_MIRROR]: annotations?.[CONFIG_HASH] ?? '' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid, controller: true }],
    },
    spec: pod.spec,
  };
}

/** Whether the API object stands for just this version of the static pod, and is to stay. */
export function mirrors(object: Pod, pod: AgentPod): boolean {
  return (
    object.metadata?.deletionTimestamp === undefined &&
    object.metadata?.annotations?.[CONFIG_MIRROR] === pod.metadata.annotations?.[CONFIG_HASH]
  );
}

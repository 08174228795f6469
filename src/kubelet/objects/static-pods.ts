import type { AgentPod } from '#lib/kube/types.ts';
import { CONFIG_SOURCE } from '../sources/static-pod.ts';

/** Whether the pod comes from a manifest on this node. */
export function isStaticPod({ metadata }: Pick<AgentPod, 'metadata'>): boolean {
  const source = metadata.annotations?.[CONFIG_SOURCE];
  return source !== undefined && source !== 'api';
}

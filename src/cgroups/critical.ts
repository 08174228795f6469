import type { Pod } from '#lib/kube/types.ts';

/** From this priority on a pod counts as critical to the system. */
const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;

/** Static pods, their mirrors, and pods of the system's own priorities. */
export function isCriticalPod(pod: Pod): boolean {
  const annotations = pod.metadata?.annotations ?? {};
  const source = annotations['kubernetes.io/config.source'];
  return (
    (source !== undefined && source !== 'api') ||
    annotations['kubernetes.io/config.mirror'] !== undefined ||
    (pod.spec?.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY
  );
}

/** Critical, and of the class `system-node-critical`: the last to go. */
export const isNodeCriticalPod = (pod: Pod): boolean =>
  pod.spec?.priorityClassName === 'system-node-critical' && isCriticalPod(pod);

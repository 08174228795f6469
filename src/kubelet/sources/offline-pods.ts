/** Which of the pods that an earlier agent ran may come back without a word of the API server. */
import type { AgentPod } from '#lib/kube/types.ts';
import { isApiPod } from '../pod/api-pod.ts';
import type { PodRecord } from '../pod/record.ts';

export interface OfflineStart {
  /** How long the API server is waited for, in milliseconds. */
  afterMs: number;
  /** Also pods of StatefulSets and pods with claims or CSI volumes: another node may run or use them by now. */
  stateful: boolean;
}

/** The pods of the records that were wanted when the agent last knew. */
export function offlinePods(
  records: Iterable<PodRecord | undefined>,
  { stateful }: OfflineStart,
): AgentPod[] {
  return [...records].flatMap((record) => {
    if (record === undefined || !isApiPod(record.pod)) return [];
    // One whose end had begun is to end: that its containers run on until the API server is back is harm enough.
    if (record.terminating !== undefined || record.pod.metadata.deletionTimestamp !== undefined) return [];
    return stateful || !isStateful(record.pod) ? [record.pod] : [];
  });
}

function isStateful({ metadata, spec }: AgentPod): boolean {
  return (
    metadata.ownerReferences?.some(({ kind }) => kind === 'StatefulSet') === true ||
    spec.volumes?.some(
      ({ persistentVolumeClaim, csi, ephemeral }) =>
        (persistentVolumeClaim ?? csi ?? ephemeral) !== undefined,
    ) === true
  );
}

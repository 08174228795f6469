import type { PodCondition } from '#lib/kube/types.ts';
import type { PodRecord } from '../pod/record.ts';
import { apiTime } from './time.ts';

/** What the pod's owner is told of a resize: that it can't be done (yet), and that it isn't done. */
export function resizeConditions(record: PodRecord | undefined, error: string | undefined): PodCondition[] {
  const { pending, inProgress } = record?.resize ?? {};
  const conditions: PodCondition[] = [];
  if (pending !== undefined) {
    const { reason, message, generation, since } = pending;
    conditions.push({
      type: 'PodResizePending',
      status: 'True',
      reason,
      message,
      ...(generation === 0 ? {} : { observedGeneration: generation }),
      lastTransitionTime: apiTime(since),
    });
  }
  if (inProgress !== undefined) {
    const { generation, since } = inProgress;
    conditions.push({
      type: 'PodResizeInProgress',
      status: 'True',
      ...(error === undefined ? {} : { reason: 'Error', message: error }),
      ...(generation === 0 ? {} : { observedGeneration: generation }),
      lastTransitionTime: apiTime(since),
    });
  }
  return conditions;
}

import { type Decision, type PodState, wakeBy } from './decision.ts';
import type { PodRecord } from './record.ts';

export const DEADLINE_EXCEEDED = 'DeadlineExceeded';
const MESSAGE = 'Pod was active on the node longer than the specified deadline';

/** The end of a pod whose `activeDeadlineSeconds`, counted from `status.startTime`, have passed; else a wake-up then. */
export function deadlineOf(state: PodState, decision: Decision): PodRecord['terminal'] {
  const seconds = state.pod.spec.activeDeadlineSeconds;
  const start = Date.parse(state.record?.startTime ?? '');
  if (seconds === undefined || seconds === null || Number.isNaN(start)) return undefined;
  const at = start + seconds * 1000;
  if (state.now >= at) return { phase: 'Failed', reason: DEADLINE_EXCEEDED, message: MESSAGE };
  wakeBy(decision, at);
  return undefined;
}

/** Why a pod isn't being looked after, for `nodelet explain`. */
import { type AgentPod, fullName } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import type { PodContext } from './pod-context.ts';

export const troubleWait = (trouble: string): Wait => ({
  subject: 'pod',
  reason: 'RuntimeTrouble',
  message: `The pod can't be looked after: ${trouble}`,
});

/** For a pod that waits for its name; `owner`: who has it, unless it is a pod that an earlier agent left. */
export function turnWait(pod: AgentPod, owner: PodContext | undefined): Wait {
  const uid = owner === undefined ? '' : ` (UID ${owner.pod.metadata.uid})`;
  return {
    subject: 'pod',
    reason: 'NameInUse',
    message: `The pod starts when the earlier pod ${fullName(pod)}${uid} has ended.`,
  };
}

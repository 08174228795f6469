import type { AgentPod } from '#lib/kube/types.ts';

export type Verdict =
  | { admitted: true }
  /** `reason` is upstream's word (`OutOfcpu`, `NodeAffinity` …), `message` a person's sentence. */
  | { admitted: false; reason: string; message: string };

/**
 * Whether this node takes a pod on. Asked once, before the pod's first worker, and never for a pod that the runtime or a
 * record knows: what runs is not judged again.
 */
export interface Admission {
  /** `activePods`: those that were taken on and have not come to their end, `pod` not among them. Must not throw. */
  admit(pod: AgentPod, activePods: readonly AgentPod[]): Verdict;
}

export const admitsAll: Admission = { admit: () => ({ admitted: true }) };

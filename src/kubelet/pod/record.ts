/**
 * What the agent must know of a pod and can't read from the runtime: written ahead of every container start, so
 * that a killed agent neither runs anything twice nor forgets what has run.
 */
import type { AgentPod, ResourceRequirements } from '#lib/kube/types.ts';

/** How a container ended; kept when the runtime's own memory of it is gone. Times as in CRI types. */
export interface EndedInstance {
  id: string;
  attempt: number;
  sandboxId: string;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  reason: string;
  message: string;
  image: string;
  imageRef: string;
  imageId: string;
}

/** Where a container stands in its crash back-off. */
export interface CrashBackoff {
  /** The delay that the next restart waits, counted from the container's end. */
  delayMs: number;
  /** Wall time of the start that set this delay. */
  steppedAt: number;
}

export interface ContainerRecord {
  /** The newest attempt that was handed to StartContainer, or is about to be. */
  attempt: number;
  /** That attempt's container and sandbox. */
  id: string;
  sandboxId: string;
  backoff?: CrashBackoff;
  /** How the newest attempt ended, once it has. */
  ended?: EndedInstance;
  /** How the attempt before it ended. */
  previous?: EndedInstance;
  /** Set, ahead of the start, until that attempt's postStart hook has ended well. */
  postStart?: 'pending';
  /** What probes have found of that attempt; absent where there are none. */
  health?: { started: boolean; ready: boolean };
  /** Set, ahead of TERM, for that attempt: its preStop hook has had its turn. */
  preStop?: 'over';
}

export interface PodRecord {
  version: 1;
  pod: AgentPod;
  /** RFC 3339: when the agent took the pod on; `status.startTime`. */
  startTime: string;
  containers: Record<string, ContainerRecord>;
  /** The sandbox in which every init container has done its work. */
  initializedIn?: string;
  /** The addresses of the pod's last sandbox: its status shows them also when nothing of it runs any more. */
  podIps?: string[];
  /** A terminal phase never changes again. */
  terminal?: {
    phase: 'Succeeded' | 'Failed';
    reason?: string;
    message?: string;
    /** Set where the agent ended the pod for the node's sake: the condition DisruptionTarget says so. */
    disruption?: { message: string };
    /** What the containers get instead of the spec's grace period; only less counts. */
    gracePeriodSeconds?: number;
  };
  /** CPU and memory that the runtime was last told for each container; what was given to it is in `pod`. */
  actuated?: Record<string, ResourceRequirements>;
  /** An in-place resize that isn't done. */
  resize?: {
    /** What the node can't give, now or at all. */
    pending?: { reason: 'Deferred' | 'Infeasible'; message: string; generation: number; since: number };
    /** What was given and isn't there yet; `applied`: the pod's group has it. */
    inProgress?: { generation: number; since: number; applied: boolean };
  };
  /** Set once the agent has begun to end the pod. */
  terminating?: { since: number; gracePeriodSeconds: number };
}

export const newRecord = (pod: AgentPod, startTime: string): PodRecord => ({
  version: 1,
  pod,
  startTime,
  containers: {},
});

import type { PodStatus } from '#lib/kube/types.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { Decision, Ending, Failure } from './decision.ts';
import type { ContainerView } from './instances.ts';
import type { Observation } from './observer.ts';
import type { HostVolume } from './ports.ts';
import type { PodRecord } from './record.ts';

/** The newest observation of a pod with what was made of it. */
export interface PodSight extends Observation {
  views: ContainerView[];
  decision: Decision;
}

/** One pod's state in this process. All of it can be lost: the runtime, the disk and the record bring it back. */
export interface PodContext {
  pod: AgentPod;
  /** Order of arrival: the oldest pod goes first where work must queue. */
  readonly priority: number;
  record: PodRecord;
  /** Whether the record of an earlier process has been read. */
  isLoaded: boolean;
  ending: Ending | undefined;
  /** The first attempt that log files and timed-out calls leave free, by container. */
  readonly logFloor: Map<string, number>;
  readonly failures: Map<string, Failure>;
  /** How often each subject has failed in a row. */
  readonly failureCounts: Map<string, number>;
  readonly stoppedSandboxes: Set<string>;
  /** Set by the step `setUp`. */
  setUp: { cgroupParent: string; volumes: ReadonlyMap<string, HostVolume> } | undefined;
  isTornDown: boolean;
  /** Set by the step `forget`: nothing is left of the pod. */
  isForgotten: boolean;
  sight: PodSight | undefined;
  status: PodStatus | undefined;
}

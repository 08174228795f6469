import type { AgentPod, PodStatus } from '#lib/kube/types.ts';
import { apiTime } from '../status/time.ts';
import { isApiPod, lasting, terminalInApi } from './api-pod.ts';
import type { Decision, Ending, Failure } from './decision.ts';
import type { ContainerView } from './instances.ts';
import type { Observation } from './observer.ts';
import type { HostVolume } from './ports.ts';
import { type PodRecord, newRecord } from './record.ts';

/** The newest observation of a pod with what was made of it. */
export interface PodSight extends Observation {
  views: ContainerView[];
  decision: Decision;
}

/** One pod's state in this process. All of it can be lost: the runtime, the disk and the record bring it back. */
export interface PodContext {
  /** As it is on this node: with the resources that it has been given. */
  pod: AgentPod;
  /** As its source has it. */
  wanted: AgentPod;
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
  /** Whether a process of the pod may run, as far as anyone has looked. */
  mayRun: boolean;
  /** Set by the step `forget`: nothing is left of the pod. */
  isForgotten: boolean;
  sight: PodSight | undefined;
  status: PodStatus | undefined;
  /** Wall time minus monotonic time when the pod was last looked at. */
  clockOffset: number | undefined;
}

/** A pod that this process has not looked at yet. `now`: wall milliseconds. */
export function newContext(pod: AgentPod, priority: number, now: number): PodContext {
  const published = isApiPod(pod) ? pod.status : undefined;
  const terminal = terminalInApi(pod);
  return {
    pod,
    wanted: pod,
    priority,
    record: {
      ...newRecord(lasting(pod), published?.startTime ?? apiTime(now)),
      ...(terminal === undefined ? {} : { terminal }),
    },
    isLoaded: false,
    ending: undefined,
    logFloor: new Map(),
    failures: new Map(),
    failureCounts: new Map(),
    stoppedSandboxes: new Set(),
    setUp: undefined,
    isTornDown: false,
    mayRun: true,
    isForgotten: false,
    sight: undefined,
    status: undefined,
    clockOffset: undefined,
  };
}

import type { PodSandboxStatus } from '#cri/types.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import type { BackoffLimits } from './crash-backoff.ts';
import type { Healths } from './health.ts';
import type { ContainerView } from './instances.ts';
import type { ImageState } from './ports.ts';
import type { PodRecord } from './record.ts';
import type { Step } from './steps.ts';

/** Something that was tried for the pod and failed, until it is tried again or succeeds. */
export interface Failure {
  /** Upstream's reason: `CreateContainerError`, `FailedCreatePodSandBox`, `FailedMount` … */
  reason: string;
  message: string;
  /** Wall time of the next try. */
  retryAt: number;
  /** Set for what something was missing: a new try is due as soon as PodState.referencesVersion is another. */
  referencesVersion?: number | undefined;
}

/** What failures are filed under. */
export const SETUP = 'pod';
export const SANDBOX = 'sandbox';
/** The renewal of a running pod's volumes: it holds up nothing else. */
export const VOLUMES = 'volumes';
/** A resize in place: it holds up nothing else. */
export const RESIZE = 'resize';
/** The removal of an ended pod's sandboxes. */
export const REMOVAL = 'removal';
export const containerSubject = (name: string): string => `container ${name}`;

/** No pod that ends gets less: its preStop hooks at least begin. */
export const MINIMUM_POD_GRACE_SECONDS = 1;

/** That the pod is to end, and how. */
export interface Ending {
  gracePeriodSeconds: number;
  /** Whether nothing of the pod is to be kept: its owner has removed it. */
  forget: boolean;
}

/** Everything that a decision about a pod rests on. Times are wall milliseconds. */
export interface PodState {
  pod: AgentPod;
  ending: Ending | undefined;
  /** Newest first. */
  sandboxes: readonly PodSandboxStatus[];
  containers: readonly ContainerView[];
  record: PodRecord | undefined;
  /** Whether this process has made directories, cgroup and volumes ready. */
  isSetUp: boolean;
  /** Changes with whatever failures for want of something may have waited for. */
  referencesVersion: number;
  /** Whether what the pod's volumes are made of has changed since they were written, or may have. */
  areVolumesStale: boolean;
  isTornDown: boolean;
  /** Sandboxes that this process has stopped: a dead one still holds its address until StopPodSandbox. */
  stoppedSandboxes: ReadonlySet<string>;
  failures: ReadonlyMap<string, Failure>;
  /** The first attempt that the log directory leaves free, by container; absent means 0. */
  logFloor: ReadonlyMap<string, number>;
  /** What probes say. */
  healths: Healths;
  imageState(container: string, attempt: number): ImageState;
  backoffLimits: BackoffLimits;
  now: number;
}

export interface WaitingReason {
  reason: string;
  message?: string;
}

export interface Decision {
  /** To be done in this order; the first that fails ends the run. */
  steps: Step[];
  /** Why the pod isn't as wanted yet. */
  waits: Wait[];
  /** What the status of containers that wait says. */
  waiting: Map<string, WaitingReason>;
  /** Wall time from when a new decision may differ though nothing has happened. */
  wakeAt: number | undefined;
  /** The sandbox in which all init containers have done their work, if so. */
  initializedIn: string | undefined;
  /** Set where the pod has reached a phase that it never leaves. */
  terminal: PodRecord['terminal'];
}

export const emptyDecision = (): Decision => ({
  steps: [],
  waits: [],
  waiting: new Map(),
  wakeAt: undefined,
  initializedIn: undefined,
  terminal: undefined,
});

/** Asks for a new decision at `at` at the latest. */
export function wakeBy(decision: Decision, at: number | undefined): void {
  if (at !== undefined) decision.wakeAt = Math.min(at, decision.wakeAt ?? Infinity);
}

/** Whether what the failure was for want of may be there by now. */
const isWorthATry = (state: PodState, { referencesVersion }: Failure): boolean =>
  referencesVersion !== undefined && referencesVersion !== state.referencesVersion;

/** Whether the subject's last failure still holds it up; says so in the decision. */
export function heldUp(state: PodState, decision: Decision, subject: string): boolean {
  const failure = state.failures.get(subject);
  if (failure === undefined || failure.retryAt <= state.now || isWorthATry(state, failure)) return false;
  wakeBy(decision, failure.retryAt);
  return true;
}

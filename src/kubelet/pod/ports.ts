/**
 * What the pod worker needs of the rest of the agent. Each interface is owned here, by its user; the folders that
 * implement them are wired in by the composition root.
 */
import type { Image } from '#cri/types.ts';
import type { AgentPod, Container, PodStatus } from '#lib/kube/types.ts';
import type { Healths } from './health.ts';

/** Events about a pod, with upstream's reasons. Never throws and never blocks. */
export interface PodEvents {
  event(
    pod: AgentPod,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    /** The container it is about: becomes `spec.containers{NAME}` in involvedObject.fieldPath. */
    container?: string,
  ): void;
}

/** Where the statuses of pods go. */
export interface PodStatusSink {
  /** Latest wins. Never throws and never blocks. */
  publish(pod: AgentPod, status: PodStatus, standing: PodStanding): void;
  /** Nothing is left of the pod on this node, and no source wants it. */
  forget(podUid: string): void;
}

export interface PodStanding {
  /** Whether a process of the pod may run, now or later. */
  mayRun: boolean;
  /** Whether the pod has ended and its volumes and cgroup are gone: its API object may go, too. */
  isFinished: boolean;
}

/** A container of which the runtime says that it runs, and which has started as far as hooks go. */
export interface ProbedContainer {
  spec: Container;
  id: string;
  /** Wall milliseconds. */
  startedAt: number;
  /** What had been found of this container before, by whatever process. */
  known: { started: boolean; ready: boolean } | undefined;
}

export interface ProbedPod {
  pod: AgentPod;
  /** Where probes go unless they name a host; '' where it isn't known any more. */
  podIp: string;
  containers: readonly ProbedContainer[];
  /** Whether the pod is to end: then nothing of it is restarted, and only readiness is looked at. */
  isEnding: boolean;
}

export interface PodProbes {
  /** Brings the pod's probes in line with what runs of it, and returns what they say. */
  sync(pod: ProbedPod): Healths;
  healths(podUid: string): Healths;
  /** Nothing of the pod runs any more. */
  forget(podUid: string): void;
}

/** For an agent without an API server. */
export const noStatusSink: PodStatusSink = { publish: () => undefined, forget: () => undefined };

/** Why an image can't be used yet: the waiting reasons of upstream. */
export type ImageFailure =
  | 'ErrImagePull'
  | 'ImagePullBackOff'
  | 'InvalidImageName'
  | 'ErrImageNeverPull'
  | 'ImageInspectError'
  | 'RegistryUnavailable'
  | 'SignatureValidationFailed';

export type ImageState =
  | { kind: 'unknown' }
  | { kind: 'pulling'; since: number }
  /** `ref` is what CreateContainer takes; `image` tells the user that the image runs as. */
  | { kind: 'ready'; ref: string; image: Image }
  /** `retryAt`: wall milliseconds from when `request` tries again; undefined: not by time alone. */
  | { kind: 'failed'; reason: ImageFailure; message: string; retryAt: number | undefined };

/** One container's wish for its image; a new `attempt` is a new wish (policy Always looks again). */
export interface ImageRequest {
  pod: AgentPod;
  container: Container;
  attempt: number;
}

/**
 * Brings images to the node without ever holding up a pod's worker: `request` starts a flight in the background
 * and the pod is marked dirty when its state changes.
 */
export interface PodImages {
  state(podUid: string, container: string, attempt: number): ImageState;
  /** Starts what isn't under way; does nothing while a flight or a back-off runs. */
  request(request: ImageRequest): void;
  /** Forgets every wish of the pod. */
  forget(podUid: string): void;
}

/** A volume as the host sees it. */
export interface HostVolume {
  hostPath: string;
  readOnly: boolean;
  selinuxRelabel: boolean;
  /** Set where the volume is a raw block device, for `volumeDevices` only; `hostPath` is then the device. */
  isDevice?: boolean;
  /** Groups that the pod's processes need besides their own to use the volume. */
  groups?: readonly number[];
}

export interface PodVolumes {
  /**
   * Makes every volume of the pod ready and returns them by name. Idempotent; cheap when nothing is to be done.
   * Rejects with a VolumeError whose message names the volume and what to mend.
   */
  setUp(pod: AgentPod, signal: AbortSignal): Promise<ReadonlyMap<string, HostVolume>>;
  /**
   * Renews what has changed in volumes whose content can change while the pod runs. Rejects as `setUp`; what couldn't
   * be renewed stays as it was.
   */
  refresh(pod: AgentPod, signal: AbortSignal): Promise<void>;
  /** Unmounts and removes whatever volumes the pod's directory holds, by the mount table; never across a mount. */
  tearDown(podUid: string, signal: AbortSignal): Promise<void>;
}

export interface PodCgroups {
  /** Makes the pod's cgroup with its limits and returns it as CRI's `cgroup_parent`. Idempotent. */
  ensure(pod: AgentPod): Promise<string>;
  /**
   * Gives the pod's cgroup what of its limits for one resource is more (`grow`) or less (`shrink`) than those of
   * `before`, the pod with other resources. Rejects where the kernel refuses.
   */
  resize(
    pod: AgentPod,
    before: AgentPod,
    resource: 'memory' | 'cpu',
    direction: 'grow' | 'shrink',
  ): Promise<void>;
  /**
   * Kills what runs below the pod's cgroup under the ID of a container or sandbox of which `isLive` says that it
   * can't be: the runtime lost sight of it when a call was cut off.
   */
  killStrays(podUid: string, isLive: (id: string) => boolean): Promise<void>;
  /** Ends whatever still runs in the pod's cgroup, of whatever QoS class, and removes it. Idempotent. */
  remove(podUid: string): Promise<void>;
}

export interface TerminationMessages {
  /** Makes an empty file for this attempt and returns its path on the host. */
  prepare(pod: AgentPod, container: Container, attempt: number): Promise<string>;
}

/** The /etc/hosts that the node gives to containers. */
export interface HostsFiles {
  /**
   * Writes the pod's file and returns its path on the host; undefined for a container that brings its own, and where
   * the pod has no address. Idempotent.
   */
  prepare(pod: AgentPod, container: Container, podIps: readonly string[]): Promise<string | undefined>;
}

/** The part of a volume that one mount of a container asks for. */
export interface SubPathWish {
  podUid: string;
  volume: string;
  /** Where the volume is, as `setUp` returned it. */
  volumePath: string;
  /** `subPath`, or `subPathExpr` with its variables filled in. */
  subPath: string;
  container: string;
  /** The mount's place in the container's `volumeMounts`. */
  index: number;
  signal: AbortSignal;
}

export interface SubPaths {
  /** Resolves the part without following links out of the volume and returns a host path that stays safe. */
  prepare(wish: SubPathWish): Promise<string>;
}

export interface PodDirectories {
  /** Makes `ROOT/pods/UID` and what belongs in it. */
  ensure(pod: AgentPod): Promise<void>;
  /** Removes the pod's logs. */
  removeLogs(pod: AgentPod): Promise<void>;
  /** Removes `ROOT/pods/UID`, never across a mount; rejects where something is left in it. */
  remove(podUid: string): Promise<void>;
}

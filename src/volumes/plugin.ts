import type { AgentPod, Volume } from '#lib/kube/types.ts';

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

/** One pod's folder, for what a kind does around the pod's end. */
export interface PodFolder {
  uid: string;
  /** `ROOT/pods/UID`; it may not exist. */
  folder: string;
  signal: AbortSignal;
}

export interface VolumeRequest {
  pod: AgentPod;
  volume: Volume;
  /** The pod's folder for this volume: `ROOT/pods/UID/volumes/DIRECTORY/NAME`. It may not exist. */
  folder: string;
  /** Where the kind may keep what it must remember: `ROOT/pods/UID/plugins/DIRECTORY/NAME`. It may not exist. */
  metaFolder: string;
  /** `ROOT/pods/UID`. */
  podFolder: string;
  signal: AbortSignal;
}

/** One kind of volume. To add a kind, write one of these and put it in the table that PodVolumeManager gets. */
export interface VolumePlugin {
  /** The field of the volume that names the kind: `emptyDir`. */
  readonly kind: string;
  /** The folder in `ROOT/pods/UID/volumes` (`kubernetes.io~empty-dir`), or undefined if the kind needs none. */
  readonly directory: string | undefined;
  /**
   * Whether the folder's contents belong to the pod and go with it. If not, taking down only unmounts and removes
   * empty folders, so that data behind a mount can never be deleted.
   */
  readonly ownsContents: boolean;
  /** Whether what the volume holds can change while the pod runs: `setUp` is then called again to renew it. */
  readonly refreshes?: boolean;
  /** Whether this pod's volume of the kind is due to be renewed; without it, whenever the pod's volumes are. */
  isDue?(podUid: string, volume: Volume): boolean;
  /** Makes the volume ready. Idempotent, also after an earlier call that was interrupted anywhere. */
  setUp(request: VolumeRequest): Promise<HostVolume>;
  /** Runs before the pod's mounts are undone; rejects where they can't be yet. Idempotent. */
  beforeTearDown?(pod: PodFolder): Promise<void>;
  /** Runs after the pod's mounts and folders are gone. Never throws and never waits. */
  afterTearDown?(podUid: string): void;
}

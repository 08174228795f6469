import type { BoundVolume } from '../claims/bound-volume.ts';
import type { HostVolume, PodFolder, VolumeRequest } from '../plugin.ts';

/** A volume of a pod that stands for a PersistentVolume. */
export interface PersistentRequest extends VolumeRequest {
  bound: BoundVolume;
  /** Whether the pod may only read: its own word or the PersistentVolume's. */
  readOnly: boolean;
}

/**
 * One kind of PersistentVolume. The request's folders carry the PersistentVolume's name, as upstream's. The contents of
 * a PersistentVolume are never the pod's, so nothing here may delete anything but empty folders.
 */
export interface PersistentKind {
  /** The field of the PersistentVolume's spec that names the kind: `local`. */
  readonly kind: string;
  /** The folder in `ROOT/pods/UID/volumes` (`kubernetes.io~local-volume`), or undefined if the kind needs none. */
  readonly directory: string | undefined;
  setUp(request: PersistentRequest): Promise<HostVolume>;
  /** As VolumePlugin's. */
  isDue?(podUid: string, volumeName: string): boolean;
  beforeTearDown?(pod: PodFolder): Promise<void>;
  afterTearDown?(podUid: string): void;
}

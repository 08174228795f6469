/**
 * What the collector needs to know of the pods and what it needs done; wired in by the composition root.
 */

export interface GcPods {
  /**
   * UIDs of all pods that are wanted, and of those that a worker is still ending. Undefined until every source of
   * pods has been seen once: then nothing is removed.
   */
  desiredUids(): ReadonlySet<string> | undefined;
  /** Whether a worker uses the container, sandbox or pod with this ID (or UID) now. */
  isProtected(id: string): boolean;
  /**
   * Runs `work` while no worker handles the pod, and holds up any that would begin (a static pod that comes back
   * has the UID that it had).
   */
  exclusively<T>(uid: string, work: () => Promise<T>): Promise<T>;
}

export interface GcVolumes {
  /** Unmounts and removes the volumes that the pod's folder holds. */
  tearDown(podUid: string, signal: AbortSignal): Promise<void>;
}

export interface GcCgroups {
  /** UIDs of the pods that have a cgroup. */
  list(): Promise<Iterable<string>>;
  remove(podUid: string): Promise<void>;
}

/** A pod's folder that can't be removed. */
export interface BlockedPod {
  uid: string;
  path: string;
  why: 'mount' | 'file' | 'busy' | 'error';
  message: string;
}

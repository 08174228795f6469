import type { ReferencedObjects } from '#lib/kube/referenced.ts';
import type { AgentPod, RuntimeClass, Service } from '#lib/kube/types.ts';

/**
 * The ConfigMaps and Secrets that the pods of this node name, and no others: an object that no registered pod names is
 * `unknown`.
 */
export interface PodObjects extends ReferencedObjects {
  /** Looks after what the pod names from now on; again with a changed pod, which then counts. Cheap if nothing changed. */
  register(pod: AgentPod): void;
  release(podUid: string): void;
  /**
   * Resolves when everything that the pod names is known, and after a second at the latest. Rejects with nothing but the
   * signal's reason.
   */
  settled(podUid: string, signal: AbortSignal): Promise<void>;
  /** Called with each pod that names an object of which something else is known now. Never during `register`. */
  onChange(handler: (podUid: string) => void): void;
}

/** A list that comes from elsewhere. */
interface Listed {
  /** Whether it has arrived whole. */
  readonly hasSynced: boolean;
  /** Resolves when it has; rejects with the signal's reason. */
  synced(signal: AbortSignal): Promise<void>;
  /** Called after it has arrived, and after each change. */
  onChange(handler: () => void): void;
}

/** All Services, for the variables that name them; an Informer is one. */
export interface ServiceLister extends Listed {
  list(): readonly Service[];
}

/** All RuntimeClasses; an Informer is one. */
export interface RuntimeClassLister extends Listed {
  get(at: { name: string }): RuntimeClass | undefined;
}

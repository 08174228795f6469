/**
 * The API server as its users in this program see it. `src/api` implements it; whoever needs less takes a part of it
 * (`Pick<KubeClient, 'get'>`).
 */
import type { ObjectMeta } from './types.ts';

/** A kind of object as URLs have it. */
export interface Resource {
  /** Empty for the core group. */
  group: string;
  version: string;
  plural: string;
  namespaced: boolean;
}

const core = (plural: string, namespaced: boolean): Resource => ({
  group: '',
  version: 'v1',
  plural,
  namespaced,
});

/** The kinds that the agent deals with. */
export const resources = {
  pods: core('pods', true),
  nodes: core('nodes', false),
  services: core('services', true),
  configMaps: core('configmaps', true),
  secrets: core('secrets', true),
  serviceAccounts: core('serviceaccounts', true),
  events: core('events', true),
  persistentVolumes: core('persistentvolumes', false),
  persistentVolumeClaims: core('persistentvolumeclaims', true),
  leases: { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespaced: true },
  csiNodes: { group: 'storage.k8s.io', version: 'v1', plural: 'csinodes', namespaced: false },
  csiDrivers: { group: 'storage.k8s.io', version: 'v1', plural: 'csidrivers', namespaced: false },
  volumeAttachments: {
    group: 'storage.k8s.io',
    version: 'v1',
    plural: 'volumeattachments',
    namespaced: false,
  },
  runtimeClasses: { group: 'node.k8s.io', version: 'v1', plural: 'runtimeclasses', namespaced: false },
  endpointSlices: { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices', namespaced: true },
  serviceCidrs: { group: 'networking.k8s.io', version: 'v1', plural: 'servicecidrs', namespaced: false },
  certificateSigningRequests: {
    group: 'certificates.k8s.io',
    version: 'v1',
    plural: 'certificatesigningrequests',
    namespaced: false,
  },
  tokenReviews: { group: 'authentication.k8s.io', version: 'v1', plural: 'tokenreviews', namespaced: false },
  subjectAccessReviews: {
    group: 'authorization.k8s.io',
    version: 'v1',
    plural: 'subjectaccessreviews',
    namespaced: false,
  },
} as const satisfies Record<string, Resource>;

/**
 * Calls of one lane share connections and wait for each other at most; a slow answer in one lane never holds up
 * another. `lease` has a connection of its own.
 */
export type Lane = 'lease' | 'status' | 'events' | 'general';

export interface ApiCall {
  signal: AbortSignal;
  /** `general` unless given. */
  lane?: Lane;
  /** For the whole call, in milliseconds; 10,000 for `lease`, 30,000 for others unless given. */
  deadlineMs?: number;
}

export interface ObjectName {
  /** Empty or absent for kinds without namespaces. */
  namespace?: string;
  name: string;
}

export interface ListSelection {
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** An object as the API serves it. */
export interface ApiObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

export interface ListPage<T> {
  items: T[];
  resourceVersion: string;
  /** Set where there is another page. */
  continue?: string;
}

export type PatchType = 'strategic' | 'merge' | 'json';

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/**
 * One call each, without retries but for what HTTP demands (a connection that was closed before anything was sent).
 * Rejects with an ApiError (also where no answer came: status 0), or with the signal's reason.
 */
export interface KubeClient {
  get<T extends ApiObject>(resource: Resource, at: ObjectName, call: ApiCall): Promise<T>;
  /** One page; `continueFrom` is an earlier page's `continue`. `resourceVersion` '0' takes the server's cache. */
  list<T extends ApiObject>(
    resource: Resource,
    selection: ListSelection & { limit?: number; continueFrom?: string; resourceVersion?: string },
    call: ApiCall,
  ): Promise<ListPage<T>>;
  create<T extends ApiObject>(
    resource: Resource,
    at: { namespace?: string; name?: string; subresource?: string },
    object: unknown,
    call: ApiCall,
  ): Promise<T>;
  replace<T extends ApiObject>(
    resource: Resource,
    at: ObjectName & { subresource?: string },
    object: unknown,
    call: ApiCall,
  ): Promise<T>;
  patch<T extends ApiObject>(
    resource: Resource,
    at: ObjectName & { subresource?: string },
    patch: { type: PatchType; body: unknown },
    call: ApiCall,
  ): Promise<T>;
  delete(resource: Resource, at: ObjectName, options: DeleteOptions, call: ApiCall): Promise<void>;
}

/** What happened to an object. A delete followed by a create of the same name is two changes: UIDs tell them apart. */
export type ObjectChange<T> =
  | { type: 'added' | 'deleted'; object: T }
  | { type: 'changed'; object: T; before: T };

/**
 * A local copy of a list of objects, kept true by a watch. It survives every fault of the connection; its content is
 * then old, never partial.
 */
export interface Informer<T extends ApiObject> {
  /** Whether the first list has arrived whole. */
  readonly hasSynced: boolean;
  /** Wall time of the last word from the server, bookmarks included; undefined before the first. */
  readonly lastContact: number | undefined;
  /** Why the newest attempt failed, while it does. */
  readonly trouble: Error | undefined;
  list(): readonly T[];
  get(at: ObjectName): T | undefined;
  /** Called after the copy has changed, and once (with no changes) when the first list is in. Never throws back. */
  onChange(handler: (changes: readonly ObjectChange<T>[]) => void): void;
  /** Resolves when the first list is in; rejects with the signal's reason. */
  synced(signal: AbortSignal): Promise<void>;
}

/** Makes informers; each runs until its signal aborts. */
export interface InformerFactory {
  informer<T extends ApiObject>(
    resource: Resource,
    selection: ListSelection,
    options: {
      signal: AbortSignal;
      /** Drops what nobody reads before an object is kept; managedFields are always dropped. */
      trim?: (object: T) => T;
    },
  ): Informer<T>;
}

/** What is known of one named object. `unknown` until the server has answered once; old content stays through outages. */
export type ObjectView<T> =
  | { state: 'unknown' | 'absent'; object?: undefined }
  | { state: 'present'; object: T };

/** One user's hold on the watch of one object. */
export interface ObjectWatch<T extends ApiObject> {
  get(): ObjectView<T>;
  /** Why the newest attempt to look failed, while it does (an ApiError: 403 where the server doesn't allow it). */
  readonly trouble: Error | undefined;
  /**
   * Resolves once the state is known, or once an attempt to learn it has failed: then the state is `unknown` and
   * `trouble` says why; attempts go on. Rejects with the signal's reason.
   */
  settled(signal: AbortSignal): Promise<void>;
  /** Ends this hold; the watch ends with the last one. More calls do nothing. */
  release(): void;
}

/**
 * Watches of exactly named objects. All holds on one object share a watch, and the views of one object are equal by
 * identity (`===`) while it doesn't change. An object that says `immutable: true` is not looked at again while anybody
 * holds it, as upstream.
 */
export interface ObjectWatches {
  /**
   * `onChange` is called after the view has changed (its first value too, and the first trouble before that), never
   * during `acquire` and never after `release`. What it throws is logged and goes no further.
   */
  acquire<T extends ApiObject>(resource: Resource, at: ObjectName, onChange?: () => void): ObjectWatch<T>;
}

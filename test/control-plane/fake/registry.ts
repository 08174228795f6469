import { randomUUID } from 'node:crypto';
import type { DeleteOptions, Resource } from '#lib/kube/client.ts';
import { canonicalJson } from '#lib/kube/canonical.ts';
import { decideDeletion } from './deletion.ts';
import { apiVersionOf, kindOf } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { timeText } from './object.ts';
import type { KubeObject } from './object.ts';
import { checkPodUpdate, keepStatusOfPod } from './pod-update.ts';
import { preparePod } from './pod-create.ts';
import { StatusError, alreadyExists, badRequest, conflict, invalid, notFound } from './status-error.ts';
import type { Store } from './store.ts';

export interface RegistryOptions {
  injectServiceAccountToken: boolean;
  /** The server's own clock, in milliseconds since 1970. */
  now: () => number;
}

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const randomSuffix = (): string =>
  Array.from({ length: 5 }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join('');

const validName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/** Groups whose objects' names are no DNS names; a kubelet's signing request has a digest in its name. */
const freeNames = new Set(['rbac.authorization.k8s.io', 'certificates.k8s.io']);

/** The objects' life: create, update and delete as the API server's strategies have them. */
export class Registry {
  readonly store: Store;
  readonly #options: RegistryOptions;

  constructor(store: Store, options: RegistryOptions) {
    this.store = store;
    this.#options = options;
  }

  find(resource: Resource, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.store.get(resource, namespace, name);
  }

  get(resource: Resource, namespace: string | undefined, name: string): KubeObject {
    const found = this.find(resource, namespace, name);
    if (found === undefined) throw notFound(resource, name);
    return found;
  }

  /** The object as it would be stored: for what must be checked before it is. */
  prepare(resource: Resource, namespace: string | undefined, body: KubeObject, by: string): KubeObject {
    const kind = kindOf(resource);
    checkType(kind, body);
    const given = body.metadata;
    if (given.resourceVersion) {
      const words = 'resourceVersion should not be set on objects to be created';
      throw new StatusError(500, 'InternalError', words);
    }
    if (kind.namespaced && given.namespace !== undefined && given.namespace !== namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    }
    const name = given.name || (given.generateName ? `${given.generateName}${randomSuffix()}` : '');
    if (name === '') {
      throw invalid(kind.kind, '', 'metadata.name: Required value: name or generateName is required');
    }
    if (!freeNames.has(kind.group) && (name.length > 253 || !validName.test(name))) {
      throw invalid(
        kind.kind,
        name,
        `metadata.name: Invalid value: "${name}": a lowercase RFC 1123 subdomain`,
      );
    }
    const now = timeText(this.#options.now());
    const {
      deletionTimestamp: _at,
      deletionGracePeriodSeconds: _grace,
      selfLink: _link,
      generation: _generation,
      ...kept
    } = given;
    const object: KubeObject = {
      ...structuredClone(body),
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: {
        ...kept,
        name,
        ...(kind.namespaced ? { namespace: namespace ?? 'default' } : {}),
        uid: randomUUID(),
        creationTimestamp: now,
        ...(kind.generation ? { generation: 1 } : {}),
        managedFields: managed(by, now),
      },
    };
    if (kind.plural === 'pods') {
      const { injectServiceAccountToken } = this.#options;
      return preparePod(object, { injectServiceAccountToken, suffix: randomSuffix() });
    }
    return object;
  }

  /** Stores what prepare() gave. */
  add(resource: Resource, object: KubeObject): KubeObject {
    const { namespace, name } = object.metadata;
    if (namespace !== undefined && this.find(namespaces, undefined, namespace) === undefined) {
      throw notFound(namespaces, namespace);
    }
    if (this.find(resource, namespace, name) !== undefined) throw alreadyExists(resource, name);
    return this.store.put(resource, object);
  }

  create(resource: Resource, namespace: string | undefined, body: KubeObject, by = 'test'): KubeObject {
    return this.add(resource, this.prepare(resource, namespace, body, by));
  }

  /**
   * Writes a whole object over the one that is there. With `subresource` `status` the rest stays as it was; without,
   * the status does. `check` sees both before anything is written.
   */
  update(
    resource: Resource,
    body: KubeObject,
    options: {
      namespace: string | undefined;
      name: string;
      subresource?: string | undefined;
      by?: string;
      /** A patch reads and writes in one, so it needs no resourceVersion. */
      isPatch?: boolean;
      check?: (next: KubeObject, old: KubeObject) => void;
    },
  ): KubeObject {
    const { namespace, name, subresource, by = 'test' } = options;
    const kind = kindOf(resource);
    checkType(kind, body);
    const old = this.get(resource, namespace, name);
    const given = body.metadata;
    if (given.name !== name) {
      const words = `the name of the object (${given.name}) does not match the name on the URL (${name})`;
      throw badRequest(words);
    }
    if (given.uid !== undefined && given.uid !== '' && given.uid !== old.metadata.uid) {
      if (options.isPatch === true) {
        throw invalid(kind.kind, name, `metadata.uid: Invalid value: "${given.uid}": field is immutable`);
      }
      const why = `Precondition failed: UID in precondition: ${given.uid}, UID in object meta: ${old.metadata.uid}`;
      throw conflict(resource, name, why);
    }
    if (!given.resourceVersion && !kind.unconditionalUpdate && options.isPatch !== true) {
      const why = 'metadata.resourceVersion: Invalid value: 0: must be specified for an update';
      throw invalid(kind.kind, name, why);
    }
    if (given.resourceVersion && given.resourceVersion !== old.metadata.resourceVersion) {
      const why =
        'the object has been modified; please apply your changes to the latest version and try again';
      throw conflict(resource, name, why);
    }
    const next = nextObject(kind, body, old, subresource);
    options.check?.(next, old);
    return this.#write(kind, next, old, by);
  }

  delete(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): KubeObject {
    const kind = kindOf(resource);
    const object = this.get(resource, namespace, name);
    const deletion = decideDeletion(kind, object, options, this.#options.now());
    if (deletion.type === 'pending') return object;
    if (deletion.type === 'mark') return this.store.put(resource, deletion.object);
    if (deletion.marked !== undefined) this.store.put(resource, deletion.marked);
    return this.store.remove(resource, namespace, name) ?? object;
  }

  #write(kind: Kind, next: KubeObject, old: KubeObject, by: string): KubeObject {
    if (same(next, old)) return old;
    const now = timeText(this.#options.now());
    const metadata = { ...next.metadata, managedFields: managed(by, now) };
    if (kind.generation && canonicalJson(next.spec) !== canonicalJson(old.spec)) {
      metadata.generation = (old.metadata.generation ?? 0) + 1;
    }
    const ended =
      metadata.deletionTimestamp !== undefined && (metadata.deletionGracePeriodSeconds ?? 0) === 0;
    if (ended && (metadata.finalizers ?? []).length === 0) {
      return this.store.remove(kind, metadata.namespace, metadata.name) ?? next;
    }
    return this.store.put(kind, { ...next, metadata });
  }
}

const namespaces: Resource = { group: '', version: 'v1', plural: 'namespaces', namespaced: false };

type ManagedFields = NonNullable<KubeObject['metadata']['managedFields']>;
const managed = (manager: string, time: string): ManagedFields => [
  { manager, operation: 'Update', apiVersion: 'v1', time, fieldsType: 'FieldsV1', fieldsV1: {} },
];

function checkType(kind: Kind, body: KubeObject): void {
  const wanted = `${apiVersionOf(kind)}, Kind=${kind.kind}`;
  const given = `${body.apiVersion}, Kind=${body.kind}`;
  if (given !== wanted) throw badRequest(`the API version in the data (${given}) does not match ${wanted}`);
}

function nextObject(
  kind: Kind,
  body: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
): KubeObject {
  const {
    resourceVersion: _version,
    deletionTimestamp: _at,
    deletionGracePeriodSeconds: _grace,
    ...given
  } = body.metadata;
  const { uid, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds } = old.metadata;
  const metadata = {
    ...given,
    uid,
    creationTimestamp,
    generation,
    deletionTimestamp,
    deletionGracePeriodSeconds,
  };
  if (old.metadata.namespace !== undefined) metadata.namespace = old.metadata.namespace;
  for (const [field, value] of Object.entries(metadata)) {
    if (value === undefined) delete metadata[field as keyof typeof metadata];
  }
  if (subresource === 'status') {
    const next: KubeObject = { ...structuredClone(old), metadata: metadata as KubeObject['metadata'] };
    if (body.status === undefined) delete next.status;
    else next.status = structuredClone(body.status);
    return kind.plural === 'pods' ? keepStatusOfPod(next, old) : next;
  }
  const next: KubeObject = { ...structuredClone(body), metadata: metadata as KubeObject['metadata'] };
  if (kind.status) {
    delete next.status;
    if (old.status !== undefined) next.status = old.status;
  }
  if (kind.plural === 'pods') checkPodUpdate(next, old, subresource);
  return next;
}

/** Equal but for what every write changes. */
function same(a: KubeObject, b: KubeObject): boolean {
  const plain = ({ metadata, ...rest }: KubeObject): string => {
    const { managedFields: _fields, resourceVersion: _version, ...kept } = metadata;
    return canonicalJson({ ...rest, metadata: kept });
  };
  return plain(a) === plain(b);
}

/** An API server in memory, as far as a node's pods, nodes and events need one: for unit tests. */
import type { Clock } from '#lib/clock.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import type {
  ApiObject,
  DeleteOptions,
  Informer,
  InformerFactory,
  KubeClient,
  ListPage,
  ListSelection,
  ObjectChange,
  ObjectName,
  PatchType,
  Resource,
} from '#lib/kube/client.ts';
import type { Event, Pod } from '#lib/kube/types.ts';
import { strategicMerge } from './strategic-merge.ts';

type Verb = 'get' | 'list' | 'create' | 'replace' | 'patch' | 'delete';

export interface FakeCall {
  verb: Verb;
  /** `pods/default/web`, with the subresource behind it where there is one. */
  path: string;
  body: unknown;
}

export interface FakeInformer<T extends ApiObject> extends Informer<T> {
  /** Lists: until then the informer knows nothing. */
  sync(): void;
}

interface Watcher {
  resource: Resource;
  selects(object: ApiObject): boolean;
  apply(changes: { type: 'set' | 'gone'; object: ApiObject }[]): void;
}

const clone = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

export class FakeApi implements KubeClient, InformerFactory {
  readonly calls: FakeCall[] = [];
  readonly #clock: Pick<Clock, 'now'>;
  readonly #objects = new Map<string, ApiObject>();
  readonly #watchers = new Set<Watcher>();
  readonly #failures: { verb: Verb; error: Error }[] = [];
  /** Set to keep watchers from hearing of changes: they hear of all of them when it is unset and `catchUp` is called. */
  watchesStall = false;
  /** No call gets an answer. */
  isDown = false;
  #pending: { resource: Resource; type: 'set' | 'gone'; object: ApiObject }[] = [];
  #version = 100;
  #uids = 0;
  /** Called before each call is done: a test may make it wait. */
  before: (call: FakeCall) => Promise<void> | void = () => undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** The next call of this verb is refused. */
  failNext(verb: Verb, error: Error): void {
    this.#failures.push({ verb, error });
  }

  async get<T extends ApiObject>(resource: Resource, at: ObjectName): Promise<T> {
    await this.#call('get', resource, at, undefined);
    return clone(this.#find(resource, at)) as T;
  }

  async list<T extends ApiObject>(resource: Resource, selection: ListSelection): Promise<ListPage<T>> {
    await this.#call('list', resource, { name: '' }, undefined);
    return {
      items: this.#select(resource, selection).map(clone) as T[],
      resourceVersion: String(this.#version),
    };
  }

  async create<T extends ApiObject>(
    resource: Resource,
    at: { namespace?: string; name?: string; subresource?: string },
    object: unknown,
  ): Promise<T> {
    const named = object as ApiObject;
    const name = at.name ?? named.metadata?.name ?? '';
    await this.#call('create', resource, { ...at, name }, object);
    return this.put(resource, { ...named, metadata: { ...named.metadata, name, ...spaceOf(at) } }) as T;
  }

  async replace<T extends ApiObject>(resource: Resource, at: ObjectName, object: unknown): Promise<T> {
    await this.#call('replace', resource, at, object);
    const before = this.#find(resource, at);
    return this.#set(resource, { ...(object as ApiObject), metadata: before.metadata ?? {} }) as T;
  }

  async patch<T extends ApiObject>(
    resource: Resource,
    at: ObjectName & { subresource?: string },
    patch: { type: PatchType; body: unknown },
  ): Promise<T> {
    await this.#call('patch', resource, at, patch.body);
    const before = this.#find(resource, at);
    const uid = (patch.body as ApiObject).metadata?.uid;
    if (uid !== undefined && uid !== before.metadata?.uid) throw conflict('the UID is another');
    return this.#set(resource, strategicMerge(before, patch.body) as ApiObject) as T;
  }

  async delete(resource: Resource, at: ObjectName, options: DeleteOptions): Promise<void> {
    await this.#call('delete', resource, at, options);
    this.remove(resource, at, options);
  }

  /** As a user's delete does: gracefully where it is a pod on a node, unless the grace period is 0. */
  remove(resource: Resource, at: ObjectName, options: DeleteOptions = {}): void {
    const object = this.#find(resource, at) as Pod;
    const wanted = options.preconditions?.uid;
    if (wanted !== undefined && wanted !== object.metadata?.uid) throw conflict('the UID is another');
    const spec = object.spec?.terminationGracePeriodSeconds ?? 30;
    const terminal = object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed';
    const grace = terminal ? 0 : (options.gracePeriodSeconds ?? spec);
    if (resource.plural !== 'pods' || grace === 0) {
      this.#objects.delete(key(resource, at));
      this.#tell(resource, 'gone', object);
      return;
    }
    const before = object.metadata?.deletionGracePeriodSeconds ?? Infinity;
    const deletionTimestamp = new Date(this.#clock.now() + grace * 1000).toISOString();
    if (grace >= before) return;
    const metadata = { ...object.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace };
    this.#set(resource, { ...object, metadata });
  }

  /** Creates an object directly; what a server sets is set unless it is there. */
  put<T extends ApiObject>(resource: Resource, object: T): T {
    const metadata = object.metadata ?? {};
    if (this.#objects.has(key(resource, { name: metadata.name ?? '', ...spaceOf(metadata) }))) {
      throw new ApiError({ status: 409, reason: 'AlreadyExists', message: 'it is there already' });
    }
    const creationTimestamp = new Date(this.#clock.now()).toISOString();
    const uid = `api-${this.#uids++}`;
    return this.#set(resource, {
      ...object,
      metadata: { uid, creationTimestamp, generation: 1, ...metadata },
    });
  }

  /** Changes an object directly, as somebody else would; a changed spec raises the generation. */
  edit<T extends ApiObject>(resource: Resource, at: ObjectName, change: (object: T) => void): T {
    const object = clone(this.#find(resource, at)) as T & { spec?: unknown };
    const before = JSON.stringify(object.spec);
    change(object);
    const { metadata } = object;
    if (JSON.stringify(object.spec) !== before && metadata !== undefined)
      metadata.generation = (metadata.generation ?? 1) + 1;
    return this.#set<T>(resource, object);
  }

  pod(name: string, namespace = 'default'): Pod | undefined {
    return this.#objects.get(`pods/${namespace}/${name}`);
  }

  events(): Event[] {
    return this.#select({ plural: 'events' }, {}) as Event[];
  }

  /** The writes so far, as `patch pods/default/web/status`. */
  writes(): string[] {
    return this.calls
      .filter(({ verb }) => verb !== 'get' && verb !== 'list')
      .map(({ verb, path }) => `${verb} ${path}`);
  }

  /** Tells watchers what they missed. */
  catchUp(): void {
    this.watchesStall = false;
    const pending = this.#pending.splice(0);
    for (const { resource, type, object } of pending) this.#tell(resource, type, object);
  }

  informer<T extends ApiObject>(
    resource: Resource,
    selection: ListSelection,
    options: { signal: AbortSignal; trim?: (object: T) => T },
  ): FakeInformer<T> {
    const items = new Map<string, T>();
    const handlers: ((changes: readonly ObjectChange<T>[]) => void)[] = [];
    let hasSynced = false;
    const nameOf = ({ metadata }: ApiObject): string => `${metadata?.namespace ?? ''}/${metadata?.name}`;
    const apply: Watcher['apply'] = (news) => {
      if (!hasSynced) return;
      const changes = news.flatMap(({ type, object }): ObjectChange<T>[] => {
        const before = items.get(nameOf(object));
        if (type === 'gone') {
          items.delete(nameOf(object));
          return [{ type: 'deleted', object: object as T }];
        }
        items.set(nameOf(object), object as T);
        return [
          before === undefined
            ? { type: 'added', object: object as T }
            : { type: 'changed', object: object as T, before },
        ];
      });
      for (const handler of handlers) handler(changes);
    };
    const watcher: Watcher = { resource, selects: (object) => matches(object, selection), apply };
    this.#watchers.add(watcher);
    options.signal.addEventListener('abort', () => this.#watchers.delete(watcher));
    return {
      get hasSynced() {
        return hasSynced;
      },
      lastContact: undefined,
      trouble: undefined,
      list: () => [...items.values()],
      get: (at) => items.get(`${at.namespace ?? ''}/${at.name}`),
      onChange: (handler) => void handlers.push(handler),
      synced: () => Promise.resolve(),
      sync: () => {
        hasSynced = true;
        items.clear();
        for (const object of this.#select(resource, selection)) items.set(nameOf(object), object as T);
        for (const handler of handlers) handler([]);
      },
    };
  }

  async #call(verb: Verb, resource: Resource, at: ObjectName & { subresource?: string }, body: unknown) {
    const call: FakeCall = {
      verb,
      path: [key(resource, at), at.subresource].filter(Boolean).join('/'),
      body: body === undefined ? undefined : clone(body),
    };
    this.calls.push(call);
    await this.before(call);
    await Promise.resolve();
    if (this.isDown) throw new ApiError({ status: 0, reason: '', message: 'connection refused' });
    const failure = this.#failures.findIndex((each) => each.verb === verb);
    if (failure >= 0) throw this.#failures.splice(failure, 1)[0]?.error ?? new Error('failed');
  }

  #find(resource: Resource, at: ObjectName): ApiObject {
    const object = this.#objects.get(key(resource, at));
    if (object === undefined) throw new ApiError({ status: 404, reason: 'NotFound', message: 'not found' });
    return object;
  }

  #set<T extends ApiObject>(resource: Resource, object: T): T {
    const stored = clone(object);
    stored.metadata = { ...stored.metadata, resourceVersion: String(++this.#version) };
    const at = { name: stored.metadata.name ?? '', ...spaceOf(stored.metadata) };
    this.#objects.set(key(resource, at), stored);
    this.#tell(resource, 'set', stored);
    return clone(stored);
  }

  #select(resource: Pick<Resource, 'plural'>, selection: ListSelection): ApiObject[] {
    return [...this.#objects]
      .filter(([name, object]) => name.startsWith(`${resource.plural}/`) && matches(object, selection))
      .map(([, object]) => object);
  }

  #tell(resource: Resource, type: 'set' | 'gone', object: ApiObject): void {
    if (this.watchesStall) {
      this.#pending.push({ resource, type, object });
      return;
    }
    for (const watcher of this.#watchers) {
      if (watcher.resource.plural !== resource.plural || !watcher.selects(object)) continue;
      queueMicrotask(() => watcher.apply([{ type, object }]));
    }
  }
}

const spaceOf = ({ namespace }: { namespace?: string | undefined }): { namespace?: string } =>
  namespace === undefined ? {} : { namespace };

const key = (resource: Resource, at: ObjectName): string =>
  [resource.plural, at.namespace ?? '', at.name].join('/');

function matches(object: ApiObject, selection: ListSelection): boolean {
  const node = /^spec\.nodeName=(.*)$/.exec(selection.fieldSelector ?? '')?.[1];
  if (node !== undefined && (object as Pod).spec?.nodeName !== node) return false;
  return selection.namespace === undefined || object.metadata?.namespace === selection.namespace;
}

const conflict = (message: string): ApiError => new ApiError({ status: 409, reason: 'Conflict', message });

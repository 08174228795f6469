/** An API server in memory as far as the node's objects need one. */
import { DeadlineError } from '#lib/errors.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import type { ApiCall, ApiObject, Informer, KubeClient, ObjectChange, Resource } from '#lib/kube/client.ts';
import { resources } from '#lib/kube/client.ts';
import type { Node } from '#lib/kube/types.ts';

export interface RecordedCall {
  verb: 'get' | 'create' | 'replace' | 'patch' | 'delete';
  plural: string;
  call: ApiCall;
  body?: unknown;
}

type Outcome = 'hang' | number;
type Client = Pick<KubeClient, 'get' | 'create' | 'replace' | 'patch' | 'delete'>;
type Json = Record<string, unknown>;

const REASONS: Record<number, string> = {
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  500: 'InternalError',
};
const refusal = (status: number, reason = REASONS[status] ?? ''): ApiError =>
  new ApiError({ status, reason, message: `${status} ${reason}` });

/** What a strategic merge patch does to a Node: conditions and taints merge by key, addresses by type. */
export function applyStrategic(target: Json, patch: Json): Json {
  const result = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const old = result[key];
    if (value === null) delete result[key];
    else if (Array.isArray(value) && (key === 'conditions' || key === 'addresses')) {
      const list = value as Json[];
      const whole = list.some((each) => each['$patch'] === 'replace');
      const given = list.filter((each) => each['$patch'] === undefined);
      const base = whole ? [] : [...((old as Json[] | undefined) ?? [])];
      for (const each of given) {
        const at = whole ? -1 : base.findIndex(({ type }) => type === each['type']);
        if (at < 0) base.push(each);
        else base[at] = { ...base[at], ...each };
      }
      result[key] = base;
    } else if (typeof value === 'object' && !Array.isArray(value)) {
      result[key] = applyStrategic((old as Json | undefined) ?? {}, value as Json);
    } else result[key] = value;
  }
  return result;
}

export class FakeCluster implements Client {
  readonly calls: RecordedCall[] = [];
  /** Asked before each call; what it says happens instead of the call. */
  fault: (call: RecordedCall) => Outcome | undefined = () => undefined;
  readonly #objects = new Map<string, ApiObject>();
  #version = 100;
  #uid = 0;
  readonly #handlers: ((changes: readonly ObjectChange<Node>[]) => void)[] = [];

  /** The informer of the one node. */
  readonly nodes: Pick<Informer<Node>, 'get' | 'onChange'> = {
    get: ({ name }) => this.node(name),
    onChange: (handler) => void this.#handlers.push(handler),
  };

  object(resource: Resource, name: string): ApiObject | undefined {
    return this.#objects.get(`${resource.plural}/${name}`);
  }

  node(name: string): Node | undefined {
    return this.object(resources.nodes, name);
  }

  /** Calls of one kind, in order. */
  of(verb: RecordedCall['verb'], plural: string): RecordedCall[] {
    return this.calls.filter((each) => each.verb === verb && each.plural === plural);
  }

  /** Writes as somebody else would, and tells the informer. */
  write<T extends ApiObject>(resource: Resource, object: T): T {
    return this.#store(resource, object);
  }

  remove(resource: Resource, name: string): void {
    const object = this.object(resource, name);
    this.#objects.delete(`${resource.plural}/${name}`);
    if (object !== undefined && resource === resources.nodes) this.#tell({ type: 'deleted', object });
  }

  async get<T extends ApiObject>(resource: Resource, { name }: { name: string }, call: ApiCall): Promise<T> {
    await this.#arrive({ verb: 'get', plural: resource.plural, call });
    return structuredClone(this.#present(resource, name) as T);
  }

  async create<T extends ApiObject>(
    resource: Resource,
    _at: object,
    object: unknown,
    call: ApiCall,
  ): Promise<T> {
    await this.#arrive({ verb: 'create', plural: resource.plural, call, body: object });
    const fresh = structuredClone(object as ApiObject);
    const name = fresh.metadata?.name ?? '';
    if (this.object(resource, name) !== undefined) throw refusal(409, 'AlreadyExists');
    fresh.metadata = { ...fresh.metadata, uid: `uid-${++this.#uid}` };
    return structuredClone(this.#store(resource, fresh) as T);
  }

  async replace<T extends ApiObject>(
    resource: Resource,
    { name }: { name: string },
    object: unknown,
    call: ApiCall,
  ): Promise<T> {
    await this.#arrive({ verb: 'replace', plural: resource.plural, call, body: object });
    const present = this.#present(resource, name);
    const next = structuredClone(object as ApiObject);
    const version = next.metadata?.resourceVersion;
    if (version !== undefined && version !== present.metadata?.resourceVersion) throw refusal(409);
    return structuredClone(this.#store(resource, next) as T);
  }

  async patch<T extends ApiObject>(
    resource: Resource,
    { name }: { name: string },
    patch: { body: unknown },
    call: ApiCall,
  ): Promise<T> {
    await this.#arrive({ verb: 'patch', plural: resource.plural, call, body: patch.body });
    const next = applyStrategic(structuredClone(this.#present(resource, name)) as Json, patch.body as Json);
    return structuredClone(this.#store(resource, next as ApiObject) as T);
  }

  async delete(
    resource: Resource,
    { name }: { name: string },
    _options: object,
    call: ApiCall,
  ): Promise<void> {
    await this.#arrive({ verb: 'delete', plural: resource.plural, call });
    this.#present(resource, name);
    this.remove(resource, name);
  }

  async #arrive(recorded: RecordedCall): Promise<void> {
    this.calls.push(recorded);
    recorded.call.signal.throwIfAborted();
    const outcome = this.fault(recorded);
    // A call that hangs ends with its own deadline, which the test need not wait for.
    if (outcome === 'hang') throw new DeadlineError('no answer');
    if (outcome !== undefined) throw refusal(outcome);
    await Promise.resolve();
  }

  #present(resource: Resource, name: string): ApiObject {
    const object = this.object(resource, name);
    if (object === undefined) throw refusal(404);
    return object;
  }

  #store<T extends ApiObject>(resource: Resource, object: T): T {
    const stored = structuredClone(object);
    stored.metadata = { ...stored.metadata, resourceVersion: String(++this.#version) };
    const key = `${resource.plural}/${stored.metadata.name ?? ''}`;
    const before: Node | undefined = this.#objects.get(key);
    this.#objects.set(key, stored);
    if (resource === resources.nodes) {
      const node: Node = stored;
      this.#tell(
        before === undefined ? { type: 'added', object: node } : { type: 'changed', object: node, before },
      );
    }
    return stored;
  }

  #tell(change: ObjectChange<Node>): void {
    for (const handler of this.#handlers) handler([structuredClone(change)]);
  }
}

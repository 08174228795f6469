import { LinkedAbort } from '#lib/abortable.ts';
import type { Clock } from '#lib/clock.ts';
import { DeadlineError, describeError } from '#lib/errors.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import type {
  ApiCall,
  ApiObject,
  DeleteOptions,
  KubeClient,
  ListPage,
  ListSelection,
  ObjectName,
  PatchType,
  Resource,
} from '#lib/kube/client.ts';
import { readText } from './body.ts';
import type { Exchanger, Outgoing } from './exchange.ts';
import { collectionPath, objectPath, placePath, query, selectionQuery } from './request-path.ts';
import { toApiError } from './status-answer.ts';

export interface HttpKubeClientOptions {
  exchanger: Exchanger;
  clock: Clock;
  /** Told of every call of the lane `lease`: whether an answer came in time. */
  leaseAnswered: (inTime: boolean) => void;
  /** Told of every call: whether there was an answer, whatever it was. */
  answered?: (isAnswered: boolean) => void;
  /** Longest answer taken, in bytes; 64 MiB unless given. */
  maxBytes?: number;
}

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
};

/** The API server over HTTP and JSON. */
export class HttpKubeClient implements KubeClient {
  readonly #exchanger: Exchanger;
  readonly #clock: Clock;
  readonly #leaseAnswered: (inTime: boolean) => void;
  readonly #answered: (isAnswered: boolean) => void;
  readonly #maxBytes: number;

  constructor(options: HttpKubeClientOptions) {
    const { exchanger, clock, leaseAnswered, answered = () => undefined, maxBytes = 64 << 20 } = options;
    this.#exchanger = exchanger;
    this.#clock = clock;
    this.#leaseAnswered = leaseAnswered;
    this.#answered = answered;
    this.#maxBytes = maxBytes;
  }

  get<T extends ApiObject>(resource: Resource, at: ObjectName, call: ApiCall): Promise<T> {
    return this.#call<T>('GET', objectPath(resource, at), call);
  }

  async list<T extends ApiObject>(
    resource: Resource,
    selection: ListSelection & { limit?: number; continueFrom?: string; resourceVersion?: string },
    call: ApiCall,
  ): Promise<ListPage<T>> {
    const { limit, continueFrom, resourceVersion, namespace } = selection;
    const path = collectionPath(resource, namespace);
    const words = query({
      ...selectionQuery(selection),
      limit: limit === undefined ? undefined : String(limit),
      continue: continueFrom,
      resourceVersion,
    });
    const list = await this.#call<RawList<T>>('GET', `${path}${words}`, call);
    const next = list.metadata?.continue;
    return {
      items: list.items ?? [],
      resourceVersion: list.metadata?.resourceVersion ?? '',
      ...(next === undefined || next === '' ? {} : { continue: next }),
    };
  }

  create<T extends ApiObject>(
    resource: Resource,
    at: { namespace?: string; name?: string; subresource?: string },
    object: unknown,
    call: ApiCall,
  ): Promise<T> {
    const { name } = at;
    // A subresource is created below its object, anything else in its collection.
    const path =
      name !== undefined && at.subresource !== undefined
        ? objectPath(resource, { ...at, name })
        : placePath(resource, at.namespace);
    return this.#call<T>('POST', path, call, { body: object });
  }

  replace<T extends ApiObject>(
    resource: Resource,
    at: ObjectName & { subresource?: string },
    object: unknown,
    call: ApiCall,
  ): Promise<T> {
    return this.#call<T>('PUT', objectPath(resource, at), call, { body: object });
  }

  patch<T extends ApiObject>(
    resource: Resource,
    at: ObjectName & { subresource?: string },
    patch: { type: PatchType; body: unknown },
    call: ApiCall,
  ): Promise<T> {
    const type = PATCH_TYPES[patch.type];
    return this.#call<T>('PATCH', objectPath(resource, at), call, { body: patch.body, type });
  }

  async delete(resource: Resource, at: ObjectName, options: DeleteOptions, call: ApiCall): Promise<void> {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', ...options };
    await this.#call('DELETE', objectPath(resource, at), call, { body });
  }

  async #call<T>(
    method: string,
    path: string,
    call: ApiCall,
    content?: { body: unknown; type?: string },
  ): Promise<T> {
    const outgoing: Outgoing = {
      method,
      path,
      headers: content === undefined ? {} : { 'content-type': content.type ?? 'application/json' },
      body: content === undefined ? undefined : Buffer.from(JSON.stringify(content.body)),
    };
    const lane = call.lane ?? 'general';
    const deadlineMs = call.deadlineMs ?? (lane === 'lease' ? 10_000 : 30_000);
    call.signal.throwIfAborted();
    const late = (): Error => new DeadlineError(`no answer within ${deadlineMs} ms`);
    using linked = new LinkedAbort(call.signal, { clock: this.#clock, ms: deadlineMs, late });
    const { signal } = linked;
    try {
      const answer = await this.#exchanger.send(lane, outgoing, signal);
      const text = await readText(answer, signal, this.#maxBytes);
      this.#answered(true);
      if (lane === 'lease') this.#leaseAnswered(true);
      if (answer.status < 200 || answer.status > 299) throw toApiError(answer, text, this.#clock.now());
      return parse(text, this.#exchanger.shown(outgoing)) as T;
    } catch (cause) {
      if (call.signal.aborted) throw call.signal.reason;
      if (cause instanceof ApiError) throw cause;
      this.#answered(false);
      if (lane === 'lease' && signal.aborted) this.#leaseAnswered(false);
      throw noAnswer(this.#exchanger.shown(outgoing), cause);
    }
  }
}

interface RawList<T> {
  items?: T[] | null;
  metadata?: { resourceVersion?: string; continue?: string };
}

/** The error of a call that got no answer that can be used. */
export const noAnswer = (what: string, cause: unknown): ApiError =>
  new ApiError({ status: 0, reason: '', message: `${what}: ${describeError(cause)}` }, { cause });

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The parser's own words quote the text, which may be a Secret.
    throw new ApiError({ status: 0, reason: '', message: `${what}: the answer is no JSON` });
  }
}

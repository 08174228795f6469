import { Agent, request as sendRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { ApiError } from '#lib/kube/api-error.ts';
import type {
  ApiObject,
  DeleteOptions,
  ListPage,
  ListSelection,
  PatchType,
  Resource,
} from '#lib/kube/client.ts';
import type { Credentials } from './kubeconfig.ts';
import { TestWatch } from './watch.ts';

/** Which object; `namespace` is `default` for namespaced kinds unless given. */
export interface At {
  name: string;
  namespace?: string;
  subresource?: string;
}

export interface RawAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

const contentTypes: Readonly<Record<PatchType, string>> = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
};

export interface Selection extends ListSelection {
  limit?: number;
  continueFrom?: string;
  resourceVersion?: string;
}

export interface WatchSelection extends ListSelection {
  resourceVersion?: string;
  bookmarks?: boolean;
  timeoutSeconds?: number;
  /** Demands the initial events, ended by a bookmark. */
  initialEvents?: boolean;
}

function pathOf(
  resource: Resource,
  namespace: string | undefined,
  name?: string,
  subresource?: string,
): string {
  const { group, version, plural } = resource;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const parts = [
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `${root}/${parts.map(encodeURIComponent).join('/')}`;
}

const query = (fields: Record<string, string | number | boolean | undefined>): string => {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) given.set(key, String(value));
  return given.size === 0 ? '' : `?${given.toString()}`;
};

/**
 * A small API client for tests, over HTTP/1.1. Rejects with an ApiError; an answer takes at most `deadlineMs`. An
 * object's own metadata says where it goes unless a place is given.
 */
export class TestClient {
  readonly #url: URL;
  readonly #agent: Agent;
  readonly #token: string | undefined;
  readonly #deadlineMs: number;

  constructor(url: string, ca: string, credentials: Credentials | undefined, deadlineMs = 30_000) {
    this.#url = new URL(url);
    this.#deadlineMs = deadlineMs;
    const isToken = credentials !== undefined && 'token' in credentials;
    this.#token = isToken ? credentials.token : undefined;
    const pair =
      credentials === undefined || isToken ? {} : { cert: credentials.certificate, key: credentials.key };
    this.#agent = new Agent({ ca, keepAlive: true, ...pair });
  }

  get<T extends ApiObject>(resource: Resource, at: At): Promise<T> {
    return this.#call('GET', this.#at(resource, at));
  }

  /** Undefined where there is none. */
  async find<T extends ApiObject>(resource: Resource, at: At): Promise<T | undefined> {
    return this.get<T>(resource, at).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
  }

  async list<T extends ApiObject>(resource: Resource, selection: Selection = {}): Promise<ListPage<T>> {
    const { namespace, continueFrom, ...fields } = selection;
    const path = `${pathOf(resource, namespace)}${query({ ...fields, continue: continueFrom })}`;
    const answer = await this.#call<{
      items: T[];
      metadata: { resourceVersion: string; continue?: string };
    }>('GET', path);
    const { resourceVersion, continue: next } = answer.metadata;
    return { items: answer.items, resourceVersion, ...(next ? { continue: next } : {}) };
  }

  create<T extends ApiObject>(resource: Resource, object: unknown, at: Partial<At> = {}): Promise<T> {
    const namespace = this.#namespace(resource, object, at);
    return this.#call('POST', pathOf(resource, namespace, at.name, at.subresource), object);
  }

  replace<T extends ApiObject>(resource: Resource, object: unknown, at: Partial<At> = {}): Promise<T> {
    const namespace = this.#namespace(resource, object, at);
    const name = at.name ?? (object as ApiObject).metadata?.name ?? '';
    return this.#call('PUT', pathOf(resource, namespace, name, at.subresource), object);
  }

  patch<T extends ApiObject>(
    resource: Resource,
    at: At,
    body: unknown,
    type: PatchType = 'strategic',
  ): Promise<T> {
    return this.#call('PATCH', this.#at(resource, at), body, contentTypes[type]);
  }

  /** What the server answers: the object, or a Status. */
  delete<T extends ApiObject>(resource: Resource, at: At, options: DeleteOptions = {}): Promise<T> {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', ...options };
    return this.#call('DELETE', this.#at(resource, at), body);
  }

  watch<T extends ApiObject>(resource: Resource, selection: WatchSelection = {}): TestWatch<T> {
    const { namespace, bookmarks, initialEvents, ...fields } = selection;
    const path = `${pathOf(resource, namespace)}${query({
      ...fields,
      watch: true,
      allowWatchBookmarks: bookmarks,
      ...(initialEvents === true
        ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true }
        : {}),
    })}`;
    const controller = new AbortController();
    return new TestWatch<T>(this.#send('GET', path, undefined, undefined, controller.signal), controller);
  }

  /** Any request; rejects only where no answer comes. */
  async raw(method: string, path: string, body?: unknown, contentType?: string): Promise<RawAnswer> {
    const signal = AbortSignal.timeout(this.#deadlineMs);
    try {
      const response = await this.#send(method, path, body, contentType, signal);
      let text = '';
      response.setEncoding('utf8');
      for await (const chunk of response) text += String(chunk);
      return { status: response.statusCode ?? 0, headers: response.headers, body: text };
    } catch (error) {
      throw new ApiError(
        { status: 0, reason: '', message: `no answer to ${method} ${path}` },
        { cause: error },
      );
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #namespace(resource: Resource, object: unknown, at: Partial<At>): string | undefined {
    if (!resource.namespaced) return undefined;
    return at.namespace ?? (object as ApiObject).metadata?.namespace ?? 'default';
  }

  #at(resource: Resource, { name, namespace = 'default', subresource }: At): string {
    return pathOf(resource, resource.namespaced ? namespace : undefined, name, subresource);
  }

  async #call<T>(method: string, path: string, body?: unknown, contentType?: string): Promise<T> {
    const answer = await this.raw(method, path, body, contentType);
    if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.body) as T;
    throw errorOf(answer);
  }

  #send(
    method: string,
    path: string,
    body: unknown,
    contentType: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'test-client/1' };
    if (text !== undefined) {
      headers['content-type'] = contentType ?? 'application/json';
      // Node gives the body of a DELETE no length by itself.
      headers['content-length'] = `${Buffer.byteLength(text)}`;
    }
    if (this.#token !== undefined) headers['authorization'] = `Bearer ${this.#token}`;
    return new Promise((resolve, reject) => {
      const request = sendRequest(new URL(path, this.#url), { method, headers, agent: this.#agent, signal });
      request.on('response', resolve);
      request.on('error', reject);
      request.end(text);
    });
  }
}

function errorOf({ status, body, headers }: RawAnswer): ApiError {
  let said: { reason?: string; message?: string } = {};
  try {
    said = JSON.parse(body) as typeof said;
  } catch {
    // Not every refusal is a Status.
  }
  const after = headers['retry-after'];
  return new ApiError({
    status,
    reason: said.reason ?? '',
    message: said.message ?? body,
    retryAfterMs: after === undefined ? undefined : Number(after) * 1000,
  });
}

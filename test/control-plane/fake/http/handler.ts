import { setTimeout as wait } from 'node:timers/promises';
import type { Api } from '../api.ts';
import type { Authenticator } from '../auth/authenticate.ts';
import { nodeMayNot } from '../auth/node-authorizer.ts';
import { rbacAllows } from '../auth/rbac.ts';
import type { Faults, Misbehaviour } from '../faults/faults.ts';
import type { RequestRecord, Recorder } from '../recorder.ts';
import { parseRequest } from '../request.ts';
import type { ResourceRequest } from '../request.ts';
import { StatusError, qualified } from '../status-error.ts';
import type { Store } from '../store.ts';
import { isAdmin, nodeOf } from '../user.ts';
import type { User } from '../user.ts';
import { wellKnown } from './discovery.ts';
import { Exchange, parseJson } from './exchange.ts';
import type { Request, Response } from './exchange.ts';
import type { Lists } from './list.ts';
import type { Watches } from './watch.ts';

export interface HandlerParts {
  api: Api;
  store: Store;
  lists: Lists;
  watches: Watches;
  authenticator: Authenticator;
  faults: Faults;
  recorder: Recorder;
}

const origin = 'https://fake';
const never = new AbortController().signal;

/** Answers one HTTP request; never throws. */
export class Handler {
  readonly #parts: HandlerParts;

  constructor(parts: HandlerParts) {
    this.#parts = parts;
  }

  handle(request: Request, response: Response): void {
    const method = request.method ?? 'GET';
    const path = request.url ?? '/';
    const url = new URL(path, origin);
    const resource = parseRequest(method, url);
    const record: RequestRecord = {
      at: Date.now(),
      method,
      path,
      user: '',
      userAgent: request.headers['user-agent'] ?? '',
      requestBytes: 0,
      responseBytes: 0,
      ...(resource === undefined ? {} : factsOf(resource)),
    };
    this.#parts.recorder.requests.push(record);
    response.on('error', () => undefined);
    const exchange = new Exchange(request, response, record);
    this.#serve(exchange, url, resource).catch((error: unknown) => {
      if (error instanceof StatusError) exchange.refuse(error);
      else exchange.refuse(new StatusError(500, 'InternalError', `the fake failed: ${describe(error)}`));
    });
  }

  async #serve(exchange: Exchange, url: URL, request: ResourceRequest | undefined): Promise<void> {
    const { authenticator, faults } = this.#parts;
    const { record } = exchange;
    const user = authenticator.authenticate(exchange.socket, exchange.header('authorization'));
    record.user = user?.name ?? '';
    const body = await exchange.readBody();
    if (body.length > 0) record.body = parseJson(body);
    const fault = faults.take(record);
    if (fault !== undefined && !(await this.#misbehave(exchange, fault.misbehaviour, fault.ended))) return;
    if (user === undefined) throw new StatusError(401, 'Unauthorized', 'Unauthorized');
    const answer = this.#answer(exchange, user, url, request);
    if (answer === undefined) return;
    const how = fault?.misbehaviour;
    if (how?.type === 'answer-late') await pause(how.ms, exchange.response, fault?.ended ?? never);
    if (how?.type === 'lose-answer') exchange.cut();
    else exchange.send(answer.status, answer.body);
  }

  /** Undefined where the answer is a stream that has begun. */
  #answer(
    exchange: Exchange,
    user: User,
    url: URL,
    request: ResourceRequest | undefined,
  ): { status: number; body: unknown } | undefined {
    const { api, lists, watches } = this.#parts;
    if (request === undefined) {
      const known = wellKnown(url.pathname);
      if (known !== undefined) return { status: 200, body: known };
      throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
    }
    this.#authorize(user, request);
    if (request.verb === 'list') return { status: 200, body: lists.answer(request) };
    if (request.verb === 'watch') {
      watches.serve(exchange, request);
      return undefined;
    }
    const contentType = exchange.header('content-type');
    const { body, userAgent } = exchange.record;
    return api.handle({ request, user, body, contentType, userAgent });
  }

  #authorize(user: User, request: ResourceRequest): void {
    const { store, api } = this.#parts;
    if (isAdmin(user)) return;
    const node = nodeOf(user);
    let why: string | undefined;
    if (node !== undefined) {
      why = api.options.restrictNodes ? nodeMayNot(store, node, request) : undefined;
      if (why === undefined) return;
    }
    if (rbacAllows(store, user, request)) return;
    const { kind, verb, namespace, subresource, name } = request;
    const resource = subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`;
    const scope = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
    const words = `${qualified(kind)}${name === undefined ? '' : ` "${name}"`} is forbidden: User "${user.name}" cannot ${verb} resource "${resource}" in API group "${kind.group}" ${scope}${why === undefined ? '' : `: ${why}`}`;
    throw new StatusError(403, 'Forbidden', words);
  }

  /** Whether the request is to be served after all. */
  async #misbehave(exchange: Exchange, how: Misbehaviour, ended: AbortSignal): Promise<boolean> {
    switch (how.type) {
      case 'refuse': {
        const { status, reason = reasons[status] ?? 'InternalError', message = 'refused on command' } = how;
        const seconds = how.retryAfterSeconds;
        const more = seconds === undefined ? {} : { retryAfterSeconds: seconds };
        throw new StatusError(status, reason, message, more);
      }
      case 'delay':
        if (how.anyway === true) {
          await wait(how.ms);
          return true;
        }
        await pause(how.ms, exchange.response, ended);
        return !exchange.response.destroyed;
      case 'hang':
        await pause(undefined, exchange.response, ended);
        exchange.cut();
        return false;
      case 'cut':
        exchange.cut();
        return false;
      case 'answer-late':
      case 'lose-answer':
        return true;
    }
  }
}

const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

const factsOf = ({ verb, kind, namespace, name, subresource }: ResourceRequest) => ({
  verb,
  resource: subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`,
  ...(namespace === undefined ? {} : { namespace }),
  ...(name === undefined ? {} : { name }),
});

/** Until the time is over, the client is gone, or the fault is. */
function pause(ms: number | undefined, response: Response, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    response.on('close', end);
    if (ended.aborted) end();
    else ended.addEventListener('abort', end, { once: true });
  });
}

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '#lib/clock.ts';
import { NotFoundError } from '#lib/errors.ts';
import { maxApplyBytes, paths, type AgentInfo } from './api.ts';
import { readBody } from './body.ts';
import { BadRequestError, NotSupportedError } from './errors.ts';
import { streamLog } from './log-stream.ts';
import { logOptions, wholeNumber } from './query.ts';
import type { NodeView, ObjectView } from './view.ts';

/** Longest time that the runtime may take to tell its usage. */
const usageDeadlineMs = 10_000;

export interface RouteContext {
  view: NodeView;
  info: AgentInfo;
  /** The configuration that holds, defaults filled in and secrets masked; absent: this mode has none. */
  configuration?: Readonly<Record<string, unknown>>;
  clock: Clock;
}

export interface PodPath {
  namespace: string;
  name: string;
  /** `log`, `exec`, or nothing for the pod itself. */
  verb: string;
}

/** Takes `/v1/namespaces/NS/pods/NAME[/VERB]` apart. */
export function podPath(path: string): PodPath | undefined {
  const match = /^\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)(?:\/([a-z]+))?$/.exec(path);
  if (match === null) return undefined;
  return { namespace: decoded(match[1] ?? ''), name: decoded(match[2] ?? ''), verb: match[3] ?? '' };
}

interface ObjectPath {
  kind: ObjectView['kind'];
  namespace: string;
  name: string;
}

/** Takes `/v1/namespaces/NS/configmaps/NAME`, or `secrets`, apart. */
function objectPath(path: string): ObjectPath | undefined {
  const match = /^\/v1\/namespaces\/([^/]+)\/(configmaps|secrets)\/([^/]+)$/.exec(path);
  if (match === null) return undefined;
  const [, namespace = '', kind, name = ''] = match;
  return {
    kind: kind === 'secrets' ? 'Secret' : 'ConfigMap',
    namespace: decoded(namespace),
    name: decoded(name),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadRequestError('the path is not well encoded');
  }
}

function json(response: ServerResponse, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
  });
  response.end(text);
}

const noPage = (): never => {
  throw new NotFoundError('no such page');
};

async function servePod(
  { view, clock }: RouteContext,
  { namespace, name, verb }: PodPath,
  method: string,
  query: URLSearchParams,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  switch (`${method} ${verb}`) {
    case 'GET ':
      return json(response, view.pod(namespace, name));
    case 'GET log':
      return streamLog(view.logs(namespace, name, logOptions(query), signal), response, clock, signal);
    case 'DELETE ':
      await view.deletePod(namespace, name, wholeNumber(query, 'gracePeriodSeconds'));
      return json(response, {});
    case 'POST exec':
      throw new BadRequestError('exec needs the headers Connection: Upgrade and Upgrade: SPDY/3.1');
    default:
      return noPage();
  }
}

function events(view: NodeView, query: URLSearchParams): unknown {
  const namespace = query.get('namespace');
  const name = query.get('pod');
  const items = namespace === null || name === null ? view.events() : view.events({ namespace, name });
  return { items };
}

/** Serves one request; `signal` aborts when the client goes or the server stops. Rejects with what went wrong. */
export async function serveRequest(
  context: RouteContext,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { view, info } = context;
  const url = new URL(request.url ?? '/', 'http://socket');
  const method = request.method ?? 'GET';
  const pod = podPath(url.pathname);
  if (pod !== undefined) return servePod(context, pod, method, url.searchParams, response, signal);
  if (url.pathname === paths.apply && method === 'POST') {
    const manifests = await readBody(request, maxApplyBytes, signal);
    return json(response, { items: await view.apply(manifests) });
  }
  const object = objectPath(url.pathname);
  if (object !== undefined && method === 'DELETE') {
    await view.deleteObject(object.kind, object.namespace, object.name);
    return json(response, {});
  }
  if (method !== 'GET') throw new NotSupportedError(`${method} is not allowed here`);
  switch (url.pathname) {
    case paths.configz:
      if (context.configuration === undefined) return noPage();
      return json(response, { kubeletconfig: context.configuration });
    case paths.agent:
      return json(response, info);
    case paths.node:
      return json(response, view.node());
    case paths.pods:
      return json(response, { items: view.pods() });
    case paths.events:
      return json(response, events(view, url.searchParams));
    case paths.problems:
      return json(response, { items: view.problems() });
    case paths.objects.ConfigMap:
      return json(response, { items: view.objects('ConfigMap') });
    case paths.objects.Secret:
      return json(response, { items: view.objects('Secret') });
    case paths.usage: {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(usageDeadlineMs)]);
      return json(response, { items: await view.usage(limited) });
    }
    default:
      return noPage();
  }
}

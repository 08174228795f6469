import type { Kind } from './kinds.ts';
import { findKind } from './kinds.ts';
import { demandedField } from './selectors.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** What a request asks for, read from its method and URL as the API server's RequestInfo is. */
export interface ResourceRequest {
  verb: Verb;
  kind: Kind;
  namespace: string | undefined;
  /** Of the object; for lists and watches, what the field selector demands of metadata.name. */
  name: string | undefined;
  subresource: string | undefined;
  query: URLSearchParams;
}

function verbOf(method: string, hasName: boolean, query: URLSearchParams): Verb | undefined {
  if (method === 'GET' || method === 'HEAD') {
    if (hasName) return 'get';
    return ['true', '1'].includes(query.get('watch') ?? '') ? 'watch' : 'list';
  }
  if (method === 'POST') return 'create';
  if (method === 'PUT') return 'update';
  if (method === 'PATCH') return 'patch';
  if (method === 'DELETE') return hasName ? 'delete' : 'deletecollection';
  return undefined;
}

/** Undefined for a path that isn't a resource of the fake's kinds. */
export function parseRequest(method: string, url: URL): ResourceRequest | undefined {
  const parts = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const root = parts.shift();
  const group = root === 'api' ? '' : root === 'apis' ? parts.shift() : undefined;
  const version = parts.shift();
  if (group === undefined || version === undefined) return undefined;
  let namespace: string | undefined;
  // /namespaces/NAME and /namespaces/NAME/status are the namespace itself.
  if (parts[0] === 'namespaces' && parts.length > 2 && !['status', 'finalize'].includes(parts[2]!)) {
    namespace = parts[1];
    parts.splice(0, 2);
  }
  const [plural, name, subresource] = parts;
  const kind = plural === undefined ? undefined : findKind(group, plural);
  const verb = verbOf(method, name !== undefined, url.searchParams);
  if (kind === undefined || verb === undefined || kind.version !== version) return undefined;
  const demanded =
    verb === 'list' || verb === 'watch'
      ? demandedField(url.searchParams.get('fieldSelector') ?? undefined, 'metadata.name')
      : undefined;
  return { verb, kind, namespace, name: name ?? demanded, subresource, query: url.searchParams };
}

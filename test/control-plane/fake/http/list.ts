import { randomUUID } from 'node:crypto';
import type { JsonMap, KubeObject } from '../object.ts';
import { apiVersionOf } from '../kinds.ts';
import type { ResourceRequest } from '../request.ts';
import { fieldMatcher, labelMatcher } from '../selectors.ts';
import type { Matcher } from '../selectors.ts';
import { StatusError, badRequest, expired } from '../status-error.ts';
import type { Store } from '../store.ts';

export function requestMatcher({ kind, query }: ResourceRequest): Matcher {
  const byField = fieldMatcher(kind.plural, query.get('fieldSelector') ?? '');
  const byLabel = labelMatcher(query.get('labelSelector') ?? '');
  return (object) => byField(object) && byLabel(object);
}

/** The revision that a list or watch names; throws 504 where the server isn't that far. */
export function askedRevision(query: URLSearchParams, store: Store): number {
  const text = query.get('resourceVersion') ?? '';
  if (!/^\d*$/.test(text)) throw badRequest(`invalid resource version "${text}"`);
  const revision = Number(text || '0');
  if (revision > store.revision) {
    throw new StatusError(
      504,
      'Timeout',
      `Too large resource version: ${revision}, current: ${store.revision}`,
      {
        details: {
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
          retryAfterSeconds: 1,
        },
        retryAfterSeconds: 1,
      },
    );
  }
  return revision;
}

interface Snapshot {
  items: KubeObject[];
  revision: number;
  expires: number;
}

/** Lists in pages; later pages show the state of the first. */
export class Lists {
  readonly #store: Store;
  readonly #lifeMs: number;
  readonly #snapshots = new Map<string, Snapshot>();

  constructor(store: Store, lifeMs: number) {
    this.#store = store;
    this.#lifeMs = lifeMs;
  }

  /** Makes all `continue` tokens handed out so far too old. */
  expire(): void {
    this.#snapshots.clear();
  }

  answer(request: ResourceRequest): JsonMap {
    const { kind, namespace, query } = request;
    const matcher = requestMatcher(request);
    const from = query.get('continue') ?? '';
    const version = query.get('resourceVersion');
    let start = 0;
    let snapshot: Snapshot;
    let id: string | undefined;
    if (from === '') {
      askedRevision(query, this.#store);
      const items = this.#store.list(kind, namespace).filter(matcher);
      snapshot = { items, revision: this.#store.revision, expires: Date.now() + this.#lifeMs };
    } else {
      [id, start] = readToken(from);
      const found = this.#snapshots.get(id);
      if (found === undefined || found.expires < Date.now()) {
        throw expired(
          'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
        );
      }
      snapshot = found;
    }
    // As upstream, a list from the cache (version 0) is never cut.
    const limit = version === '0' ? 0 : Number(query.get('limit') ?? 0);
    const page = limit > 0 ? snapshot.items.slice(start, start + limit) : snapshot.items.slice(start);
    const left = snapshot.items.length - start - page.length;
    const metadata: JsonMap = { resourceVersion: `${snapshot.revision}` };
    if (left > 0) {
      id ??= randomUUID();
      this.#snapshots.set(id, snapshot);
      metadata['continue'] = Buffer.from(JSON.stringify([id, start + page.length])).toString('base64url');
      metadata['remainingItemCount'] = left;
    }
    const items = page.map(({ apiVersion: _version, kind: _kind, ...item }) => item);
    return {
      kind: `${kind.kind}List`,
      apiVersion: apiVersionOf(kind),
      metadata,
      items: items as unknown as JsonMap[],
    };
  }
}

function readToken(text: string): [string, number] {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) as [string, number];
  } catch {
    throw badRequest('continue key is not valid');
  }
}

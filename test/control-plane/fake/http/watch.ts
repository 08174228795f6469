import { apiVersionOf } from '../kinds.ts';
import { matches } from '../faults/match.ts';
import type { RequestMatch } from '../faults/match.ts';
import type { JsonMap, KubeObject } from '../object.ts';
import type { ResourceRequest } from '../request.ts';
import type { Matcher } from '../selectors.ts';
import { StatusError, expired } from '../status-error.ts';
import type { Change, Store } from '../store.ts';
import type { Exchange } from './exchange.ts';
import { askedRevision, requestMatcher } from './list.ts';

interface OpenWatch {
  exchange: Exchange;
  /** Sends, or keeps for later while the watch is stalled. */
  send(type: string, object: unknown): void;
  stall(): void;
  release(): void;
  close(abruptly: boolean): void;
}

const tooOld = (): JsonMap => expired('too old resource version').body();

/** The event that a change is to one watch: objects come and go as they begin and cease to match. */
function eventOf(
  { before, after, removed, revision }: Change,
  matcher: Matcher,
): { type: string; object: KubeObject } | undefined {
  const was = before !== undefined && matcher(before);
  const is = after !== undefined && matcher(after);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: after };
  if (!was) return undefined;
  if (removed !== undefined) return { type: 'DELETED', object: removed };
  const metadata = { ...before.metadata, resourceVersion: `${revision}` };
  return { type: 'DELETED', object: { ...before, metadata } };
}

/** All open watches. */
export class Watches {
  readonly #store: Store;
  readonly #bookmarkMs: number;
  readonly #open = new Set<OpenWatch>();
  #stalls: RequestMatch[] = [];

  constructor(store: Store, bookmarkMs: number) {
    this.#store = store;
    this.#bookmarkMs = bookmarkMs;
  }

  /** How many are open. */
  count(match: RequestMatch = {}): number {
    return this.#matching(match).length;
  }

  /** Ends them: cleanly, as the server does when their time is up, or with the connection. */
  drop(match: RequestMatch, abruptly: boolean): void {
    for (const watch of this.#matching(match)) watch.close(abruptly);
  }

  /** Tells them that their version is too old, and ends them. */
  expire(match: RequestMatch): void {
    for (const watch of this.#matching(match)) {
      watch.send('ERROR', tooOld());
      watch.close(false);
    }
  }

  /** They stay open, new ones too, and nothing is sent, bookmarks included; the end sends what has gathered. */
  stall(match: RequestMatch): () => void {
    this.#stalls.push(match);
    for (const watch of this.#matching(match)) watch.stall();
    return () => {
      this.#stalls = this.#stalls.filter((each) => each !== match);
      for (const watch of this.#matching(match)) watch.release();
    };
  }

  stallOpen(match: RequestMatch): void {
    for (const watch of this.#matching(match)) watch.stall();
  }

  serve(exchange: Exchange, request: ResourceRequest): void {
    const { kind, namespace, query } = request;
    const matcher = requestMatcher(request);
    const asked = query.get('resourceVersion') ?? '';
    // Upstream's watch answers so, its list with 400.
    if (!/^\d*$/.test(asked))
      throw new StatusError(500, 'InternalError', `invalid resource version "${asked}"`);
    const from = askedRevision(query, this.#store);
    const initial = query.get('sendInitialEvents') === 'true';
    const bookmarks = query.get('allowWatchBookmarks') === 'true';
    const concerns = (object: KubeObject | undefined): boolean =>
      object !== undefined && (namespace === undefined || object.metadata.namespace === namespace);

    const watch = this.#openWatch(exchange);
    exchange.head(200, { 'content-type': 'application/json' });
    const bookmark = (annotations?: Record<string, string>): void =>
      watch.send('BOOKMARK', {
        kind: kind.kind,
        apiVersion: apiVersionOf(kind),
        metadata: {
          resourceVersion: `${this.#store.revision}`,
          creationTimestamp: null,
          ...(annotations === undefined ? {} : { annotations }),
        },
      });
    const tell = (change: Change): void => {
      if (change.kind !== kind || !concerns(change.after ?? change.before)) return;
      const event = eventOf(change, matcher);
      if (event !== undefined) watch.send(event.type, event.object);
    };

    const past = from === 0 || initial ? undefined : this.#store.since(from);
    if (from === 0 || initial) {
      for (const object of this.#store.list(kind, namespace).filter(matcher)) watch.send('ADDED', object);
      if (initial) bookmark({ 'k8s.io/initial-events-end': 'true' });
    } else if (past === undefined) {
      watch.send('ERROR', tooOld());
      watch.close(false);
      return;
    } else for (const change of past) tell(change);

    const unsubscribe = this.#store.onChange(tell);
    const ticks = bookmarks ? setInterval(bookmark, this.#bookmarkMs) : undefined;
    const seconds = Number(query.get('timeoutSeconds') ?? 0) || 1800;
    const end = setTimeout(() => {
      if (bookmarks) bookmark();
      watch.close(false);
    }, seconds * 1000);
    exchange.response.on('close', () => {
      unsubscribe();
      clearInterval(ticks);
      clearTimeout(end);
    });
  }

  #openWatch(exchange: Exchange): OpenWatch {
    let stalled = this.#stalls.some((match) => matches(match, exchange.record));
    let kept: string[] = [];
    const watch: OpenWatch = {
      exchange,
      send: (type, object) => {
        const line = `${JSON.stringify({ type, object })}\n`;
        if (stalled) kept.push(line);
        else exchange.write(line);
      },
      stall: () => {
        stalled = true;
      },
      release: () => {
        stalled = false;
        for (const line of kept) exchange.write(line);
        kept = [];
      },
      close: (abruptly) => {
        if (abruptly) exchange.cut();
        else exchange.end();
      },
    };
    this.#open.add(watch);
    exchange.response.on('close', () => this.#open.delete(watch));
    return watch;
  }

  #matching(match: RequestMatch): OpenWatch[] {
    return [...this.#open].filter(({ exchange }) => matches(match, exchange.record));
  }
}

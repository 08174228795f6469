import { LinkedAbort } from '#lib/abortable.ts';
import type { Clock } from '#lib/clock.ts';
import { DeadlineError } from '#lib/errors.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import type { ApiObject, KubeClient, ListSelection, Resource } from '#lib/kube/client.ts';
import { consume, readText } from './body.ts';
import type { Exchanger, Outgoing } from './exchange.ts';
import { noAnswer } from './http-kube-client.ts';
import { LineSplitter } from './line-splitter.ts';
import { collectionPath, query, selectionQuery } from './request-path.ts';
import { statusToApiError, toApiError } from './status-answer.ts';

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

export interface WatchOptions<T> {
  resourceVersion: string;
  /** After which the server ends the watch. */
  timeoutSeconds: number;
  signal: AbortSignal;
  /** The server has taken the watch. */
  opened: () => void;
  /** What came in one piece, in order; never empty. What it throws ends the watch. */
  events: (events: WatchEvent<T>[]) => void;
}

/** What informers need of the API server. */
export interface ListWatchClient extends Pick<KubeClient, 'list'> {
  /**
   * Resolves when the server ends the watch. Rejects with an ApiError (a refusal, an ERROR event, a connection that
   * breaks off: status 0), or with the signal's reason.
   */
  watch<T extends ApiObject>(
    resource: Resource,
    selection: ListSelection,
    options: WatchOptions<T>,
  ): Promise<void>;
}

const OPEN_MS = 30_000;
const MAX_ERROR_BYTES = 1 << 20;
/** Of one event: etcd holds objects of 1.5 MB, which JSON may double. */
const MAX_EVENT_BYTES = 32 << 20;

export async function watchStream<T extends ApiObject>(
  context: { exchanger: Exchanger; clock: Clock },
  resource: Resource,
  selection: ListSelection,
  options: WatchOptions<T>,
): Promise<void> {
  const { exchanger, clock } = context;
  const { signal } = options;
  const words = query({
    ...selectionQuery(selection),
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: options.resourceVersion,
    timeoutSeconds: String(options.timeoutSeconds),
  });
  const path = `${collectionPath(resource, selection.namespace)}${words}`;
  const outgoing: Outgoing = { method: 'GET', path, headers: {}, body: undefined };
  signal.throwIfAborted();
  // The deadline ends with the answer's head, the link to the caller's signal with the watch.
  const late = (): Error => new DeadlineError(`no answer within ${OPEN_MS} ms`);
  using linked = new LinkedAbort(signal, { clock, ms: OPEN_MS, late });
  try {
    const answer = await exchanger.send('watch', outgoing, linked.signal);
    if (answer.status !== 200) {
      throw toApiError(answer, await readText(answer, linked.signal, MAX_ERROR_BYTES), clock.now());
    }
    linked.clearDeadline();
    options.opened();
    const lines = new LineSplitter(MAX_EVENT_BYTES);
    await consume(answer, linked.signal, (chunk) => {
      const { events, error } = decode<T>(lines.push(chunk));
      if (events.length > 0) options.events(events);
      if (error !== undefined) throw error;
    });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw cause instanceof ApiError ? cause : noAnswer(exchanger.shown(outgoing), cause);
  }
}

/** The events up to the first ERROR. */
function decode<T>(lines: string[]): { events: WatchEvent<T>[]; error?: ApiError } {
  const events: WatchEvent<T>[] = [];
  for (const line of lines) {
    if (line.trim() === '') continue;
    let event: { type?: unknown; object?: unknown };
    try {
      event = JSON.parse(line) as typeof event;
    } catch {
      return {
        events,
        error: new ApiError({ status: 0, reason: '', message: 'an event of the watch is no JSON' }),
      };
    }
    if (event.type === 'ERROR') return { events, error: statusToApiError(event.object) };
    events.push(event as WatchEvent<T>);
  }
  return { events };
}

import { ApiError } from '#lib/kube/api-error.ts';
import type { ApiObject, ListPage, ListSelection, Resource } from '#lib/kube/client.ts';
import type { ListWatchClient, WatchEvent, WatchOptions } from '../client/watch-stream.ts';

export type ListQuery = ListSelection & { limit?: number; continueFrom?: string; resourceVersion?: string };

/** One call that waits for the test to say how it ends. */
export class FakeList {
  readonly query: ListQuery;
  readonly resource: Resource;
  readonly done = Promise.withResolvers<ListPage<ApiObject>>();

  constructor(resource: Resource, query: ListQuery) {
    this.resource = resource;
    this.query = query;
  }

  answer(items: ApiObject[], resourceVersion = '1', next?: string): void {
    this.done.resolve({ items, resourceVersion, ...(next === undefined ? {} : { continue: next }) });
  }

  fail(error: Error): void {
    this.done.reject(error);
  }
}

export class FakeWatch {
  readonly options: WatchOptions<ApiObject>;
  readonly selection: ListSelection;
  readonly done = Promise.withResolvers<void>();

  constructor(selection: ListSelection, options: WatchOptions<ApiObject>) {
    this.selection = selection;
    this.options = options;
  }

  open(): this {
    this.options.opened();
    return this;
  }

  send(...events: [WatchEvent<ApiObject>['type'], ApiObject][]): void {
    this.options.events(events.map(([type, object]) => ({ type, object })));
  }

  end(): void {
    this.done.resolve();
  }

  fail(error: Error): void {
    this.done.reject(error);
  }
}

/** Lists and watches that end when and how the test says, or with their signal. */
export class FakeListWatch implements ListWatchClient {
  readonly lists: FakeList[] = [];
  readonly watches: FakeWatch[] = [];

  get list(): ListWatchClient['list'] {
    return (async (resource: Resource, query: ListQuery, call: { signal: AbortSignal }) => {
      const list = new FakeList(resource, query);
      this.lists.push(list);
      return await orAborted(list.done.promise, call.signal);
    }) as ListWatchClient['list'];
  }

  get watch(): ListWatchClient['watch'] {
    return async (_resource: Resource, selection: ListSelection, options: WatchOptions<ApiObject>) => {
      const watch = new FakeWatch(selection, options);
      this.watches.push(watch);
      await orAborted(watch.done.promise, options.signal);
    };
  }

  lastList(): FakeList {
    const list = this.lists.at(-1);
    if (list === undefined) throw new Error('nothing was listed');
    return list;
  }

  lastWatch(): FakeWatch {
    const watch = this.watches.at(-1);
    if (watch === undefined) throw new Error('nothing was watched');
    return watch;
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    if (signal.aborted) reject(signal.reason as Error);
  });
}

export const object = (name: string, resourceVersion: string, uid = `uid-${name}`): ApiObject => ({
  metadata: { name, namespace: 'ns', uid, resourceVersion },
});

export const bookmark = (resourceVersion: string): ApiObject => ({ metadata: { resourceVersion } });

export const refusal = (status: number, reason = '', retryAfterMs?: number): ApiError =>
  new ApiError({ status, reason, message: `status ${status}`, retryAfterMs });

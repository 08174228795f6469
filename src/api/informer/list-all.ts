import { isApiGone } from '#lib/kube/api-error.ts';
import type { ApiObject, KubeClient, ListPage, ListSelection, Resource } from '#lib/kube/client.ts';

const PAGE = 500;
/** For one page; a big one takes its time. */
const PAGE_MS = 60_000;

/**
 * Every object of a selection, and the resource version at which they were so. `fromCache` takes what the server has
 * at hand, as upstream's first list does, which may be a little old. When the pages' snapshot expires between two
 * pages, asks for everything at once.
 */
export async function listAll<T extends ApiObject>(
  client: Pick<KubeClient, 'list'>,
  resource: Resource,
  selection: ListSelection,
  options: { fromCache: boolean; signal: AbortSignal; contact: () => void },
): Promise<ListPage<T>> {
  const call = { signal: options.signal, deadlineMs: PAGE_MS };
  const first = {
    ...selection,
    limit: PAGE,
    ...(options.fromCache ? { resourceVersion: '0' } : {}),
  };
  let page = await client.list<T>(resource, first, call);
  options.contact();
  const items = page.items;
  try {
    while (page.continue !== undefined) {
      page = await client.list<T>(resource, { ...selection, limit: PAGE, continueFrom: page.continue }, call);
      options.contact();
      for (const item of page.items) items.push(item);
    }
  } catch (error) {
    if (!isApiGone(error)) throw error;
    const whole = await client.list<T>(resource, selection, call);
    options.contact();
    return whole;
  }
  return { items, resourceVersion: page.resourceVersion };
}

import { describe, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { bind } from '#test/control-plane/actions.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useFake } from './fake.ts';

const fake = useFake({ bookmarkMs: 50 });
const { pods, configMaps } = testResources;

const pod = (name: string, labels: Record<string, string> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: { containers: [{ name: 'main', image: 'nodelet.local/busybox:1' }] },
});

const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

describe('a watch', () => {
  test('shows what there is, then what happens; objects come and go as they match', async () => {
    const { client } = fake();
    await client.create(pods, pod('bound-1'));
    const watch = client.watch<Pod>(pods, { fieldSelector: 'spec.nodeName=w1' });
    const other = await client.create<Pod>(pods, pod('bound-2'));
    await bind(client, other, 'w1');
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'bound-2' } } });
    await client.patch(pods, { name: 'bound-2', subresource: 'status' }, { status: { phase: 'Running' } });
    expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { status: { phase: 'Running' } } });
    await client.delete(pods, { name: 'bound-2' }, { gracePeriodSeconds: 0 });
    expect((await watch.next())?.object.metadata?.deletionGracePeriodSeconds).toBe(0);
    const last = await watch.next();
    expect(last?.type).toBe('DELETED');
    const { items, resourceVersion } = await client.list<Pod>(pods);
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['bound-1']);
    expect(last?.object.metadata?.resourceVersion).toBe(resourceVersion);
    watch.close();
  });

  test('from a version: exactly what came after it', async () => {
    const { client } = fake();
    await client.create(configMaps, configMap('before'));
    const { resourceVersion } = await client.list(configMaps, { namespace: 'default' });
    await client.create(configMaps, configMap('after'));
    const watch = client.watch(configMaps, { namespace: 'default', resourceVersion });
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'after' } } });
    await client.patch(configMaps, { name: 'after' }, { metadata: { labels: { a: 'b' } } }, 'merge');
    const byLabel = client.watch(configMaps, { labelSelector: 'a=b', resourceVersion });
    expect(await byLabel.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'after' } } });
    await client.patch(configMaps, { name: 'after' }, { metadata: { labels: null } }, 'merge');
    expect(await byLabel.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'after' } } });
    watch.close();
    byLabel.close();
  });

  test('bookmarks, the initial events and their end, and the end of its time', async () => {
    const { client } = fake();
    const { resourceVersion } = await client.list(pods);
    const watch = client.watch(pods, { resourceVersion, bookmarks: true, timeoutSeconds: 1 });
    const bookmark = await watch.until(({ type }) => type === 'BOOKMARK');
    expect(bookmark.object).toMatchObject({ kind: 'Pod', metadata: { resourceVersion } });
    await watch.ended;

    const initial = client.watch(testResources.namespaces, { initialEvents: true });
    const end = await initial.until(({ type }) => type === 'BOOKMARK');
    expect(end.object.metadata?.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    initial.close();
  });

  test('from a version that is too old, or not reached yet', async () => {
    const { client, store } = fake();
    const { resourceVersion } = await client.list(pods);
    await client.create(configMaps, configMap('more'));
    fake().expireWatches();
    const watch = client.watch(pods, { resourceVersion });
    expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    await watch.ended;
    await expect(client.list(pods, { resourceVersion: `${store.revision + 100}` })).rejects.toMatchObject({
      status: 504,
      retryAfterMs: 1000,
    });
  });
});

describe('a list in pages', () => {
  test('shows the state of its first page', async () => {
    const { client } = fake();
    for (const name of ['page-1', 'page-2', 'page-3']) await client.create(configMaps, configMap(name));
    const selection = { namespace: 'default', fieldSelector: 'metadata.name!=kube-root-ca.crt', limit: 2 };
    const names: unknown[] = [];
    let page = await client.list(configMaps, selection);
    const { resourceVersion } = page;
    await client.delete(configMaps, { name: 'page-3' });
    for (;;) {
      names.push(...page.items.map(({ metadata }) => metadata?.name));
      if (page.continue === undefined) break;
      page = await client.list(configMaps, { ...selection, continueFrom: page.continue });
    }
    expect(names).toEqual(expect.arrayContaining(['page-1', 'page-2', 'page-3']));
    expect(page.resourceVersion).toBe(resourceVersion);
    // From the cache it comes whole.
    expect((await client.list(configMaps, { ...selection, resourceVersion: '0' })).continue).toBeUndefined();
  });

  test('410 for a page that comes too late', async () => {
    const { client } = fake();
    const page = await client.list(testResources.namespaces, { limit: 1 });
    fake().expireContinues();
    await expect(
      client.list(testResources.namespaces, { limit: 1, continueFrom: page.continue! }),
    ).rejects.toMatchObject({ status: 410, reason: 'Expired' });
  });
});

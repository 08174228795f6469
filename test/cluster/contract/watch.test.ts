import { expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { bind } from '#test/control-plane/actions.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useControlPlane } from '#test/control-plane/start.ts';
import { barePod } from '../objects.ts';

const plane = useControlPlane();
const { pods, configMaps, namespaces } = testResources;

const nameOf = (object: { metadata?: { name?: string } } | undefined): string => object?.metadata?.name ?? '';

test("a node's pods come when they are bound, change, and go", async () => {
  const { client } = plane();
  const unrelated = await client.create<Pod>(pods, barePod());
  const { resourceVersion } = await client.list(pods);
  const watch = client.watch<Pod>(pods, { fieldSelector: 'spec.nodeName=w1', resourceVersion });
  const pod = await client.create<Pod>(pods, barePod());
  await bind(client, unrelated, 'w2');
  await bind(client, pod, 'w1');
  const added = await watch.next();
  expect(added).toMatchObject({ type: 'ADDED', object: { kind: 'Pod', spec: { nodeName: 'w1' } } });
  expect(nameOf(added?.object)).toBe(nameOf(pod));
  await client.patch(pods, { name: nameOf(pod), subresource: 'status' }, { status: { phase: 'Running' } });
  expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { status: { phase: 'Running' } } });
  await client.delete(pods, { name: nameOf(pod) });
  const marked = await watch.next();
  expect(marked?.type).toBe('MODIFIED');
  expect(marked?.object.metadata?.deletionTimestamp).toBeDefined();
  await client.delete(pods, { name: nameOf(pod) }, { gracePeriodSeconds: 0 });
  // The real server may write the last mark once more before the object goes.
  const gone = await watch.until(({ type }) => type === 'DELETED');
  expect(nameOf(gone.object)).toBe(nameOf(pod));
  expect(Number(gone.object.metadata?.resourceVersion)).toBeGreaterThan(
    Number(marked?.object.metadata?.resourceVersion),
  );
  watch.close();
});

test('one object by its name; what does not match any more is deleted to the watch', async () => {
  const { client } = plane();
  const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  await client.create(configMaps, configMap('watched'));
  const watch = client.watch(configMaps, { namespace: 'default', fieldSelector: 'metadata.name=watched' });
  expect(nameOf((await watch.next())?.object)).toBe('watched');
  await client.create(configMaps, configMap('not-watched'));
  const labelled = client.watch(configMaps, {
    namespace: 'default',
    labelSelector: 'on=1',
    resourceVersion: (await client.list(configMaps)).resourceVersion,
  });
  await client.patch(configMaps, { name: 'watched' }, { metadata: { labels: { on: '1' } } }, 'merge');
  expect(await watch.next()).toMatchObject({ type: 'MODIFIED' });
  expect(await labelled.next()).toMatchObject({ type: 'ADDED' });
  await client.patch(configMaps, { name: 'watched' }, { metadata: { labels: { on: '0' } } }, 'merge');
  expect(await watch.next()).toMatchObject({ type: 'MODIFIED' });
  expect(await labelled.next()).toMatchObject({ type: 'DELETED' });
  watch.close();
  labelled.close();
});

test('from a version on, nothing is missing and nothing comes twice', async () => {
  const { client } = plane();
  const { resourceVersion } = await client.list(configMaps, { namespace: 'default' });
  for (const name of ['seq-1', 'seq-2', 'seq-3']) {
    await client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  }
  const watch = client.watch(configMaps, { namespace: 'default', resourceVersion });
  for (const name of ['seq-1', 'seq-2', 'seq-3']) {
    expect(nameOf((await watch.next())?.object)).toBe(name);
  }
  expect(watch.pending).toEqual([]);
  watch.close();
});

test('the initial events end with a bookmark', async () => {
  const watch = plane().client.watch(namespaces, { initialEvents: true });
  const names: string[] = [];
  for (;;) {
    const event = await watch.next();
    if (event?.type !== 'ADDED') {
      expect(event?.type).toBe('BOOKMARK');
      expect(event?.object.metadata?.annotations).toMatchObject({ 'k8s.io/initial-events-end': 'true' });
      break;
    }
    names.push(nameOf(event.object));
  }
  expect(names).toEqual(expect.arrayContaining(['default', 'kube-node-lease', 'kube-system']));
  watch.close();
});

test('ends when its time is over', async () => {
  const watch = plane().client.watch(namespaces, { timeoutSeconds: 1 });
  const start = Date.now();
  await watch.ended;
  expect(watch.status).toBe(200);
  expect(Date.now() - start).toBeLessThan(5000);
});

test('a bad version', async () => {
  const watch = plane().client.watch(pods, { resourceVersion: 'nonsense' });
  await watch.ended;
  expect(watch.status).toBe(500);
});

test('the server comes back with its data, and watches go on from their version', async () => {
  const { client } = plane();
  const made = await client.create(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'before-stop' },
  });
  const watch = client.watch(configMaps, {
    namespace: 'default',
    resourceVersion: made.metadata?.resourceVersion ?? '',
  });
  await plane().stop();
  await watch.ended;
  await expect(client.get(configMaps, { name: 'before-stop' })).rejects.toMatchObject({ status: 0 });
  await plane().start();
  expect((await client.get(configMaps, { name: 'before-stop' })).metadata?.uid).toBe(made.metadata?.uid);
  const after = client.watch(configMaps, {
    namespace: 'default',
    resourceVersion: made.metadata?.resourceVersion ?? '',
  });
  await client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'after-start' } });
  expect(nameOf((await after.next())?.object)).toBe('after-start');
  after.close();
});

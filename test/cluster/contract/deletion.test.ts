import { describe, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useControlPlane } from '#test/control-plane/start.ts';
import { barePod } from '../objects.ts';

const plane = useControlPlane();
const { pods, configMaps } = testResources;

const node = 'deletion-node';
const create = (...pod: Parameters<typeof barePod>): Promise<Pod> =>
  createPodOn(plane().client, barePod(...pod), node);
const nameOf = (pod: Pod): { name: string } => ({ name: pod.metadata?.name ?? '' });
const find = (pod: Pod): Promise<Pod | undefined> => plane().client.find<Pod>(pods, nameOf(pod));
const secondsUntil = (time: string | undefined): number => (Date.parse(time ?? '') - Date.now()) / 1000;

describe('a pod', () => {
  test('of a node is marked, with its own grace period', async () => {
    const pod = await create({ terminationGracePeriodSeconds: 17 });
    await plane().client.delete(pods, nameOf(pod));
    const marked = await find(pod);
    expect(marked?.metadata).toMatchObject({ deletionGracePeriodSeconds: 17, generation: 2 });
    expect(secondsUntil(marked?.metadata?.deletionTimestamp)).toBeGreaterThan(14);
    expect(secondsUntil(marked?.metadata?.deletionTimestamp)).toBeLessThan(18);
  });

  test("a later delete shortens it, and never lengthens it; the node's last word takes it away", async () => {
    const { client } = plane();
    const pod = await create();
    await client.delete(pods, nameOf(pod), { gracePeriodSeconds: 60 });
    const first = await find(pod);
    await client.delete(pods, nameOf(pod), { gracePeriodSeconds: 100 });
    await client.delete(pods, nameOf(pod));
    expect((await find(pod))?.metadata).toEqual(first?.metadata);
    await client.delete(pods, nameOf(pod), { gracePeriodSeconds: 20 });
    const shorter = await find(pod);
    expect(shorter?.metadata).toMatchObject({ deletionGracePeriodSeconds: 20, generation: 2 });
    expect(secondsUntil(shorter?.metadata?.deletionTimestamp)).toBeLessThan(21);

    const preconditions = { uid: '00000000-0000-4000-8000-000000000000' };
    await expect(
      client.delete(pods, nameOf(pod), { gracePeriodSeconds: 0, preconditions }),
    ).rejects.toMatchObject({ status: 409, reason: 'Conflict' });
    await client.delete(pods, nameOf(pod), {
      gracePeriodSeconds: 0,
      preconditions: { uid: pod.metadata?.uid ?? '' },
    });
    expect(await find(pod)).toBeUndefined();
    await expect(client.delete(pods, nameOf(pod))).rejects.toMatchObject({ status: 404 });
  });

  test('that goes by force is seen with a grace of nothing before', async () => {
    const { client } = plane();
    const pod = await create({ terminationGracePeriodSeconds: 30 });
    const watch = client.watch<Pod>(pods, {
      namespace: 'default',
      resourceVersion: pod.metadata?.resourceVersion ?? '0',
      fieldSelector: `metadata.name=${nameOf(pod).name}`,
    });
    await client.delete(pods, nameOf(pod), { gracePeriodSeconds: 0 });
    const seen = [await watch.next(), await watch.next()];
    watch.close();
    expect(seen.map((event) => event?.type)).toEqual(['MODIFIED', 'DELETED']);
    expect(seen[0]?.object.metadata?.deletionGracePeriodSeconds).toBe(0);
  });

  test('a negative grace period is a second', async () => {
    const pod = await create();
    await plane().client.delete(pods, nameOf(pod), { gracePeriodSeconds: -5 });
    expect((await find(pod))?.metadata?.deletionGracePeriodSeconds).toBe(1);
  });

  test('goes at once where no node has it, or where it has ended', async () => {
    const { client } = plane();
    const unassigned = await client.create<Pod>(pods, barePod());
    await client.delete(pods, nameOf(unassigned));
    expect(await find(unassigned)).toBeUndefined();
    for (const phase of ['Succeeded', 'Failed']) {
      const ended = await create();
      await client.patch(pods, { ...nameOf(ended), subresource: 'status' }, { status: { phase } });
      await client.delete(pods, nameOf(ended));
      expect(await find(ended)).toBeUndefined();
    }
  });

  test('stays for its finalizers after the last word', async () => {
    const { client } = plane();
    const pod = await create({}, { finalizers: ['test.local/hold'] });
    await client.delete(pods, nameOf(pod), { gracePeriodSeconds: 0 });
    expect((await find(pod))?.metadata).toMatchObject({ deletionGracePeriodSeconds: 0 });
    // Its status can still be written.
    const at = { ...nameOf(pod), subresource: 'status' };
    expect(await client.patch(pods, at, { status: { phase: 'Failed' } })).toMatchObject({
      status: { phase: 'Failed' },
      metadata: { deletionGracePeriodSeconds: 0 },
    });
    await client.patch(pods, nameOf(pod), { metadata: { finalizers: null } }, 'merge');
    expect(await find(pod)).toBeUndefined();
  });

  test('that is evicted says why', async () => {
    const { client } = plane();
    const pod = await create({ terminationGracePeriodSeconds: 30 });
    const eviction = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { ...nameOf(pod), namespace: 'default' },
      deleteOptions: { gracePeriodSeconds: 9 },
    };
    await client.create(pods, eviction, { ...nameOf(pod), subresource: 'eviction' });
    const marked = await find(pod);
    expect(marked?.metadata?.deletionGracePeriodSeconds).toBe(9);
    const condition = marked?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
    expect(condition).toMatchObject({ status: 'True', reason: 'EvictionByEvictionAPI' });
  });
});

test('other kinds go at once, or wait for their finalizers', async () => {
  const { client } = plane();
  const configMap = (name: string, finalizers: string[]): object => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, finalizers },
  });
  await client.create(configMaps, configMap('goes', []));
  await client.delete(configMaps, { name: 'goes' });
  expect(await client.find(configMaps, { name: 'goes' })).toBeUndefined();
  await client.create(configMaps, configMap('stays', ['test.local/hold']));
  await client.delete(configMaps, { name: 'stays' });
  const marked = await client.get(configMaps, { name: 'stays' });
  expect(marked.metadata).toMatchObject({ deletionGracePeriodSeconds: 0 });
  expect(marked.metadata?.deletionTimestamp).toBeDefined();
  await client.replace(configMaps, { ...marked, metadata: { ...marked.metadata, finalizers: [] } });
  expect(await client.find(configMaps, { name: 'stays' })).toBeUndefined();
});

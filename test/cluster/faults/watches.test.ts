/** The watch of this node's pods goes wrong; whatever happens, pods follow the API server. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { container, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden, stepsBack } from './expectations.ts';

describeFakeOnly('watches', 'a server that misbehaves', () => {
  const node = useClusterNode();
  const podWatch = { resource: 'pods', verb: 'watch', user: /^system:node:/ } as const;
  const podList = { resource: 'pods', verb: 'list', user: /^system:node:/ } as const;
  const one = (name: string): string => podManifest(name, [container('main')]);
  const run = async (name: string): Promise<unknown> => {
    await node.createPod(one(name));
    return identity(await node.waitForPod(name, isRunning));
  };
  const now = async (name: string): Promise<unknown> => identity({ pod: (await node.pod(name))! });

  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  test('dropped again and again, cleanly and with their connections: nothing is missed, nothing listed anew', async () => {
    const stays = await run('stays');
    const lists = node.fake.recorder.count(podList);
    const done = new AbortController();
    const dropping = (async () => {
      for (let round = 0; !done.signal.aborted; round += 1) {
        node.fake.dropWatches({ user: /^system:node:/ }, round % 2 === 0);
        await wait(400);
      }
    })();
    try {
      for (const name of ['a', 'b', 'c']) await node.createPod(one(name));
      for (const name of ['a', 'b', 'c']) await node.waitForPod(name, isRunning);
      await node.deletePod('a');
      await node.deletePod('b', { gracePeriodSeconds: 0 });
      await node.waitForGone('a');
      await node.agent.waitForGone('b');
    } finally {
      done.abort();
      await dropping;
    }
    expect(await now('stays')).toEqual(stays);
    expect(node.fake.recorder.count(podList)).toBe(lists);
    await node.deletePod('c');
    await node.waitForGone('c');
  });

  test('expired (410): listed anew, and what was missed is made up for', async () => {
    const [stays, goes] = [await now('stays'), await run('goes')];
    expect(goes).toBeDefined();
    const lists = node.fake.recorder.count(podList);
    const hold = node.fake.stallWatches(podWatch);
    await node.deletePod('goes', { gracePeriodSeconds: 0 });
    await node.createPod(one('comes'));
    node.fake.expireWatches();
    hold();
    await node.waitForPod('comes', isRunning);
    await node.agent.waitForGone('goes');
    expect(node.fake.recorder.count(podList)).toBe(lists + 1);
    expect(await now('stays')).toEqual(stays);
    await node.deletePod('comes');
    await node.waitForGone('comes');
  });

  test('a list that expires between two pages (410 on continue) is never taken for the whole', async () => {
    const stays = await now('stays');
    // More than one page of pods that are over; the agent hears of none before all are there.
    const hold = node.fake.stallWatches(podWatch);
    const names = Array.from({ length: 510 }, (_, index) => `a-over-${index}`);
    for (const name of names) {
      const pod = await node.createPod(podManifest(name, [container('main')], { restartPolicy: 'Never' }));
      const status = { phase: 'Succeeded', startTime: new Date().toISOString() };
      await node.plane.client.replace<Pod>(
        testResources.pods,
        { ...pod, status },
        { name, subresource: 'status' },
      );
    }
    const since = Date.now();
    const expiring = node.fake.misbehave(
      { path: /continue=/ },
      { type: 'refuse', status: 410, reason: 'Expired' },
      1,
    );
    node.fake.expireWatches(podWatch);
    hold();
    await eventually(async () => expiring.hits === 1);
    await eventually(async () => node.fake.watches(podWatch) === 1);
    const lists = node.fake.recorder.find(podList, since);
    expect(lists.map(({ path, status }) => [/continue=/.test(path), /limit=/.test(path), status])).toEqual([
      [false, true, 200],
      [true, true, 410],
      [false, false, 200],
    ]);
    const views = await node.agent.pods();
    expect(views.length).toBeGreaterThanOrEqual(names.length + 1);
    expect(await now('stays')).toEqual(stays);
    await run('after');
    for (const name of names) await node.deletePod(name, { gracePeriodSeconds: 0 });
  });
});

/** A connection that comes and goes: up for 2 s, away for 2 s, while pods are created and deleted. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { isRunning } from '#test/bed/manifests.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { eventWrites, forbidden, podsOn, publishedIds, stepsBack } from './expectations.ts';
import { Trace } from './traced.ts';

describeFakeOnly('a connection that flaps', 'a server that comes and goes', () => {
  const node = useClusterNode();
  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  test('for 30 s: exactly the wanted pods run, each container was started once', async () => {
    const admin = await node.fake.sideDoor();
    const trace = await Trace.create(node.agent.dir);
    const since = Date.now();
    const end = since + 30_000;
    const flapping = (async () => {
      while (Date.now() < end) {
        await wait(2000);
        await node.fake.stop();
        await wait(2000);
        await node.fake.start();
      }
    })();
    const all = Array.from({ length: 10 }, (_, index) => `pod-${index}`);
    const uids = new Map<string, string | undefined>();
    const remove = (name: string, force: boolean): Promise<unknown> =>
      admin.delete(testResources.pods, { name }, force ? { gracePeriodSeconds: 0 } : {});
    for (const [index, name] of all.entries()) {
      uids.set(name, (await createPodOn(admin, trace.pod(name), 'n1')).metadata?.uid);
      await wait(1300);
      // Of the pods made so far every third goes again, by turns by force.
      if (index % 3 === 2) await remove(all[index - 2]!, index % 2 === 0);
    }
    const wanted = all.filter((_, index) => !(index % 3 === 0 && index < 9));
    await flapping;

    await eventually(async () => {
      const found = (await podsOn(admin)).map(({ metadata }) => metadata?.name ?? '').sort();
      return JSON.stringify(found) === JSON.stringify(wanted);
    }, 60_000);
    for (const name of wanted) await node.waitForPod(name, isRunning, { timeoutMs: 60_000 });
    const views = await node.agent.waitFor(async () => {
      const found = await node.agent.pods();
      return found.length === wanted.length && found;
    });
    expect(views.map(({ pod }) => pod.metadata?.name ?? '').sort()).toEqual(wanted);
    for (const name of all) {
      const starts = await trace.starts(name);
      expect([name, starts.length <= 1, new Set(publishedIds(node.fake.recorder, name)).size <= 1]).toEqual([
        name,
        true,
        true,
      ]);
      if (wanted.includes(name)) expect(starts).toEqual([uids.get(name)]);
    }
    const { containers, sandboxes } = await node.containerd.inventory();
    expect([containers.length, sandboxes.length]).toEqual([wanted.length, wanted.length]);
    // Pulled, Created, Started and Killing for each, and a few about the node.
    expect(eventWrites(node.fake.recorder, since).length).toBeLessThan(120);
    expect(node.fake.recorder.longestLeaseGap('n1', since)).toBeLessThan(40_000);
  });
});

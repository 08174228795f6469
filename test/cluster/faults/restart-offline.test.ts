/** The agent is killed and started while the API server is away: it knows only a part, and does nothing on it. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { container, hasPhase, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden, stepsBack } from './expectations.ts';
import { Trace } from './traced.ts';

const { pods } = testResources;
const never = { restartPolicy: 'Never' } as const;

describeFakeOnly('the agent is started anew without the API server', 'a server that goes away', () => {
  const node = useClusterNode();
  let trace: Trace;
  beforeAll(async () => {
    trace = await Trace.create(node.agent.dir);
  });
  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  const tasks = async (): Promise<string[]> => (await node.containerd.inventory()).tasks;

  test('same containers, static pods run, nothing is started or removed on partial knowledge', async () => {
    const admin = await node.fake.sideDoor();
    await node.agent.write('fixed.yaml', podManifest('fixed', [container('main')]));
    for (const name of ['stays', 'gone', 'ending', 'again']) await node.createPod(trace.pod(name));
    await node.createPod(trace.pod('done', 'exit 0', never));
    await node.createPod(trace.pod('ends', 'sleep 25; exit 4', never));
    for (const name of ['stays', 'gone', 'ending', 'again', 'ends', 'fixed-n1']) {
      await node.waitForPod(name, isRunning);
    }
    await node.waitForPod('done', hasPhase('Succeeded'));
    const stays = identity({ pod: (await node.pod('stays'))! });
    const fixed = identity((await node.agent.pod('fixed'))!);
    const before = await tasks();

    await node.fake.stop();
    await admin.delete(pods, { name: 'gone' }, { gracePeriodSeconds: 0 });
    await admin.delete(pods, { name: 'ending' });
    await admin.delete(pods, { name: 'again' }, { gracePeriodSeconds: 0 });
    const successor = await createPodOn(admin, trace.pod('again'), 'n1');
    await createPodOn(admin, trace.pod('comes'), 'n1');
    await node.agent.kill9();
    await node.agent.restart();
    // A second kill in the middle of the first seconds, when everything is being read.
    await node.agent.kill9();
    await node.agent.spawn();
    await node.agent.write('new.yaml', podManifest('new', [container('main')]));
    await node.agent.waitForPod('new', isRunning);
    await wait(20_000);
    expect(identity((await node.agent.pod('fixed'))!)).toEqual(fixed);
    const now = await tasks();
    const added = now.filter((id) => !before.includes(id));
    const missing = before.filter((id) => !now.includes(id));
    // The new static pod's sandbox and container came; of the pod that ended by itself its own went at most.
    expect(added).toHaveLength(2);
    expect(missing.length).toBeLessThanOrEqual(2);
    for (const name of ['stays', 'gone', 'ending', 'again', 'done', 'ends']) {
      expect([name, (await trace.starts(name)).length]).toEqual([name, 1]);
    }
    expect(await trace.starts('comes')).toEqual([]);

    await node.fake.start();
    const soon = { timeoutMs: 40_000 };
    await node.waitForPod('comes', isRunning, soon);
    await node.waitForPod(
      'again',
      ({ pod }) => isRunning({ pod }) && pod.metadata?.uid === successor.metadata?.uid,
      soon,
    );
    await node.waitForGone('ending', soon);
    await node.agent.waitForGone('gone');
    await node.waitForPod('ends', hasPhase('Failed'), soon);
    await node.waitForPod('new-n1', isRunning, soon);
    await node.waitForNode();
    expect(identity({ pod: (await node.pod('stays'))! })).toEqual(stays);
    for (const name of ['stays', 'gone', 'ending', 'done', 'ends', 'comes']) {
      expect([name, (await trace.starts(name)).length]).toEqual([name, 1]);
    }
    expect(new Set(await trace.starts('again')).size).toBe(2);
  });
});

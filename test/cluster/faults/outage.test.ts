/**
 * The API server is away for a minute (NODELET_TEST_LONG: five), and the cluster goes on without this node meanwhile:
 * pods are deleted, created and changed.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { container, hasPhase, identity, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { eventWrites, forbidden, publishedIds, stepsBack } from './expectations.ts';
import { Trace } from './traced.ts';

const isLong = process.env['NODELET_TEST_LONG'] === '1';
const AWAY_MS = isLong ? 300_000 : 60_000;
const { pods } = testResources;

describeFakeOnly('the API server is away', 'a server that goes away while its cluster goes on', () => {
  const node = useClusterNode();
  let trace: Trace;
  beforeAll(async () => {
    trace = await Trace.create(node.agent.dir);
  });
  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  const never = { restartPolicy: 'Never' } as const;
  const now = async (name: string): Promise<Pod> => (await node.pod(name))!;

  test(`for ${AWAY_MS / 1000} s`, { timeout: AWAY_MS + 120_000 }, async () => {
    const admin = await node.fake.sideDoor();
    await node.agent.write('fixed.yaml', podManifest('fixed', [container('main')]));
    const before = {
      stays: trace.pod('stays'),
      gone: trace.pod('gone'),
      ending: trace.pod('ending'),
      again: trace.pod('again'),
      done: trace.pod('done', 'exit 0', never),
      ends: trace.pod('ends', 'sleep 15; exit 4', never),
      crashing: trace.pod('crashing', 'exit 1'),
      edited: trace.pod('edited'),
    };
    for (const manifest of Object.values(before)) await node.createPod(manifest);
    for (const name of ['stays', 'gone', 'ending', 'again', 'ends', 'edited', 'fixed-n1']) {
      await node.waitForPod(name, isRunning);
    }
    await node.waitForPod('done', hasPhase('Succeeded'));
    await node.waitForPod('crashing', (view) => (statusOf(view)?.restartCount ?? 0) >= 1);
    const [stays, fixed] = [identity({ pod: await now('stays') }), identity({ pod: await now('fixed-n1') })];
    const mirror = (await now('fixed-n1')).metadata?.uid;

    await node.fake.stop();
    const left = Date.now();
    const crashes = (await trace.starts('crashing')).length;
    // Forced, so that the objects are gone; asked for, so that one is ending; and a new pod of an old name.
    await admin.delete(pods, { name: 'gone' }, { gracePeriodSeconds: 0 });
    await admin.delete(pods, { name: 'ending' });
    await admin.delete(pods, { name: 'again' }, { gracePeriodSeconds: 0 });
    await admin.delete(pods, { name: 'fixed-n1' }, { gracePeriodSeconds: 0 });
    const successor = await createPodOn(admin, trace.pod('again'), 'n1');
    await createPodOn(admin, trace.pod('comes'), 'n1');
    await createPodOn(admin, trace.pod('comes-once', 'exit 0', never), 'n1');
    await admin.patch(pods, { name: 'edited' }, { spec: { activeDeadlineSeconds: 2 } }, 'strategic');
    await node.agent.write('new.yaml', podManifest('new', [container('main')]));
    await wait(AWAY_MS - (Date.now() - left));

    // While it was away: what ran runs, what crashes is restarted, manifests are followed.
    await node.agent.waitForPod('new', isRunning, 1000);
    const views = await node.agent.pods();
    const here = (name: string) => views.find(({ pod }) => pod.metadata?.name === name);
    for (const name of ['stays', 'gone', 'ending', 'edited', 'again'])
      expect(isRunning(here(name)!)).toBe(true);
    expect(identity(here('stays')!)).toEqual(stays);
    expect(here('ends')?.pod.status?.phase).toBe('Failed');
    // Pauses of 10, 20, 40… s, the first ones perhaps before.
    expect((await trace.starts('crashing')).length).toBeGreaterThan(crashes);
    expect(await trace.starts('comes')).toEqual([]);

    const returned = Date.now();
    await node.fake.start();
    const soon = { timeoutMs: 40_000 };
    await node.waitForPod('comes', isRunning, soon);
    await node.waitForPod(
      'again',
      ({ pod }) => isRunning({ pod }) && pod.metadata?.uid === successor.metadata?.uid,
      soon,
    );
    await node.waitForPod('comes-once', hasPhase('Succeeded'), soon);
    await node.waitForPod('edited', hasPhase('Failed'), soon);
    const { pod: ended } = await node.waitForPod('ends', hasPhase('Failed'), soon);
    expect(statusOf({ pod: ended })?.state?.terminated?.exitCode).toBe(4);
    await node.waitForGone('ending', soon);
    await node.agent.waitForGone('gone');
    const { pod: renewed } = await node.waitForPod('fixed-n1', isRunning, soon);
    expect(renewed.metadata?.uid).not.toBe(mirror);
    expect(containersOf({ pod: renewed })).toEqual((fixed as { containers: unknown }).containers);
    await node.waitForPod('new-n1', isRunning, soon);
    await node.waitForNode();
    expect(identity({ pod: await now('stays') })).toEqual(stays);
    await eventually(async () => {
      const { restartCount = 0 } = statusOf({ pod: await now('crashing') }) ?? {};
      return restartCount + 1 === (await trace.starts('crashing')).length;
    }, 40_000);

    // Whoever waits longest between tries is woken by the first answer that anybody gets.
    const [watch] = node.fake.recorder.find(
      { resource: 'pods', verb: 'watch', user: 'system:node:n1' },
      returned,
    );
    expect(watch!.at - returned).toBeLessThan(15_000);

    // Each ran just as often as it had to.
    for (const name of ['stays', 'gone', 'ending', 'done', 'ends', 'edited', 'comes', 'comes-once']) {
      expect([name, (await trace.starts(name)).length]).toEqual([name, 1]);
    }
    expect(new Set(await trace.starts('again')).size).toBe(2);
    expect(await trace.starts('again')).toHaveLength(2);
    expect(publishedIds(node.fake.recorder, 'done')).toHaveLength(1);
    expect(eventWrites(node.fake.recorder, returned).length).toBeLessThan(100);
  });
});

const containersOf = (view: { pod: Pod }): unknown => (identity(view) as { containers: unknown }).containers;

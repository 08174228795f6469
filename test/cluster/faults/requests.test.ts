/** Single requests go wrong; each scenario has a pod of its own, and all run at once. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { container, hasPhase, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { eventWrites, forbidden, publishedIds, stepsBack } from './expectations.ts';
import { Trace } from './traced.ts';

describeFakeOnly('requests', 'a server that misbehaves', () => {
  const node = useClusterNode();
  const one = (name: string, script?: string): string => podManifest(name, [container('main', script)]);
  const status = (name: string) => ({ resource: 'pods/status', name, user: /^system:node:/ }) as const;
  const requestsAbout = (name: string) => node.fake.recorder.find(status(name));
  const never = { restartPolicy: 'Never' } as const;

  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  describe.concurrent('of one kind', () => {
    test('429 with Retry-After on statuses: honoured, and the newest status is what arrives', async () => {
      const busy = node.fake.misbehave(
        status('busy'),
        { type: 'refuse', status: 429, retryAfterSeconds: 6 },
        3,
      );
      await node.createPod(podManifest('busy', [container('main', 'sleep 8; exit 3')], never));
      const { pod } = await node.waitForPod('busy', hasPhase('Failed'), { timeoutMs: 60_000 });
      expect(statusOf({ pod })?.state?.terminated?.exitCode).toBe(3);
      expect(busy.hits).toBe(3);
      const times = requestsAbout('busy').map(({ at }) => at);
      const pauses = times.slice(1, 4).map((at, index) => at - times[index]!);
      for (const pause of pauses) expect(pause).toBeGreaterThanOrEqual(5900);
      await node.deletePod('busy');
      await node.waitForGone('busy');
    });

    test('5xx on statuses for a while: tried again, not stormed, nothing lost', async () => {
      const broken = node.fake.misbehave(status('broken'), { type: 'refuse', status: 503 });
      await node.createPod(podManifest('broken', [container('main', 'sleep 3')], never));
      await node.agent.waitForPod('broken', hasPhase('Succeeded'));
      expect((await node.pod('broken'))?.status?.phase).toBe('Pending');
      await wait(12_000);
      // 0.5 s, doubling: six within this time, and one more for each status that was new.
      expect(broken.hits).toBeGreaterThanOrEqual(3);
      expect(broken.hits).toBeLessThanOrEqual(14);
      broken.stop();
      await node.waitForPod('broken', hasPhase('Succeeded'), { timeoutMs: 35_000 });
      await node.deletePod('broken');
      await node.waitForGone('broken');
    });

    test('answers get lost: what was done is found to be done', async () => {
      const lost = [
        node.fake.misbehave({ ...status('lost') }, { type: 'lose-answer' }, 3),
        node.fake.misbehave(
          { resource: 'pods', name: 'lost', verb: 'delete', user: /^system:node:/ },
          { type: 'lose-answer' },
          1,
        ),
      ];
      await node.createPod(one('lost'));
      await node.waitForPod('lost', isRunning);
      expect(publishedIds(node.fake.recorder, 'lost')).toHaveLength(1);
      await node.deletePod('lost');
      await node.waitForGone('lost');
      await node.agent.waitForGone('lost');
      expect(lost.map(({ hits }) => hits)).toEqual([3, 1]);
    });

    test('a status that is answered after 40 s: given up before, written once more, to no other effect', async () => {
      const late = node.fake.misbehave(status('late'), { type: 'answer-late', ms: 40_000 }, 1);
      await node.createPod(podManifest('late', [container('main', 'sleep 5')], never));
      // The write took effect at once, and the agent sees that by its watch.
      await eventually(async () => late.hits === 1);
      await node.waitForPod('late', hasPhase('Succeeded'), { timeoutMs: 60_000 });
      const [first, second] = requestsAbout('late');
      expect(second!.at - first!.at).toBeLessThan(38_000);
      await wait(Math.max(0, first!.at + 41_000 - Date.now()));
      expect((await node.pod('late'))?.status?.phase).toBe('Succeeded');
      expect(publishedIds(node.fake.recorder, 'late')).toHaveLength(1);
      await node.deletePod('late');
      await node.waitForGone('late');
    });

    test('a deletion that the server carries out after 40 s does not hit the pod’s successor', async () => {
      const trace = await Trace.create(node.agent.dir);
      const first = await node.createPod(trace.pod('again'));
      await node.waitForPod('again', isRunning);
      const removal = { resource: 'pods', name: 'again', verb: 'delete', user: /^system:node:/ } as const;
      const slow = node.fake.misbehave(removal, { type: 'delay', ms: 40_000, anyway: true }, 1);
      await node.deletePod('again');
      await eventually(async () => slow.hits === 1);
      const asked = Date.now();
      // The agent gives up, asks again, and the object goes.
      await node.waitForGone('again', { timeoutMs: 38_000 });
      const second = await node.createPod(trace.pod('again'));
      await node.waitForPod('again', isRunning);
      await wait(Math.max(0, asked + 41_500 - Date.now()));
      const answers = node.fake.recorder.find(removal);
      expect(answers.length).toBeGreaterThanOrEqual(2);
      const pod = await node.pod('again');
      expect([pod?.metadata?.uid, pod?.metadata?.deletionTimestamp]).toEqual([
        second.metadata?.uid,
        undefined,
      ]);
      expect(await trace.starts('again')).toEqual([first.metadata?.uid, second.metadata?.uid]);
    });

    test('events that are refused are tried again and never hold up a pod', async () => {
      const since = Date.now();
      const about = /events/;
      const refused = node.fake.misbehave(
        { resource: 'events', path: about, user: /^system:node:/ },
        { type: 'refuse', status: 500 },
      );
      await node.createPod(one('told'));
      await node.waitForPod('told', isRunning, { timeoutMs: 20_000 });
      await wait(5000);
      refused.stop();
      expect(refused.hits).toBeGreaterThan(1);
      await eventually(
        async () => (await node.events('told')).some(({ reason }) => reason === 'Started'),
        30_000,
      );
      const reasons = (await node.events('told')).map(({ reason }) => reason);
      expect(new Set(reasons).size).toBe(reasons.length);
      expect(eventWrites(node.fake.recorder, since).length).toBeLessThan(120);
    });
  });

  test('everything is refused (503) for 15 s: pods run on, and the node stays', async () => {
    const since = Date.now();
    const all = node.fake.misbehave({ user: /^system:node:/ }, { type: 'refuse', status: 503 });
    node.fake.dropWatches({ user: /^system:node:/ }, true);
    await node.createPod(one('during'));
    await wait(15_000);
    // What the agent asks meanwhile is bounded: some watches and lists, a lease, statuses.
    expect(all.hits).toBeLessThan(250);
    all.stop();
    await node.waitForPod('during', isRunning, { timeoutMs: 40_000 });
    await node.waitForNode();
    expect(node.fake.recorder.longestLeaseGap('n1', since - 15_000)).toBeLessThan(40_000);
  });
});

/**
 * Nothing is lost or done twice: a minute (NODELET_TEST_LONG: five) of random edits of pods, random faults of the API
 * server, and random kills of the agent. `NODELET_SOAK_SEED` repeats a run's choices; what they hit depends on the
 * machine all the same.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { hadItsRun, isRunning, statusOf } from '#test/bed/manifests.ts';
import { finallyLeft, takeNodeInventory } from '#test/bed/node-inventory.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { Random } from '../../integration/soak/random.ts';
import { Edits, randomFault, runsOnce } from './chaos.ts';
import type { Made } from './chaos.ts';
import { forbidden, podsOn, stepsBack } from './expectations.ts';
import { Trace } from './traced.ts';

const DURATION_MS = process.env['NODELET_TEST_LONG'] === '1' ? 300_000 : 60_000;

function isSettled({ kind }: Made, pod: Pod): boolean {
  if (pod.metadata?.deletionTimestamp !== undefined) return false;
  if (kind === 'job') return hadItsRun({ pod });
  if (kind === 'failing-job') return pod.status?.phase === 'Failed';
  if (kind === 'crash') return (statusOf({ pod })?.restartCount ?? 0) > 0;
  return isRunning({ pod });
}

describeFakeOnly('soak', 'a server that misbehaves at random', () => {
  const node = useClusterNode();

  test('random edits, faults and kills', { timeout: DURATION_MS + 330_000 }, async () => {
    const random = new Random(
      Number(process.env['NODELET_SOAK_SEED'] ?? Math.floor(Math.random() * 2 ** 31)),
    );
    const history: string[] = [];
    const tell = (what: string): void => void history.push(`${new Date().toISOString()} ${what}`);
    tell(`seed ${random.seed}`);
    const admin = await node.fake.sideDoor();
    const trace = await Trace.create(node.agent.dir);
    const before = await takeNodeInventory(node.containerd, node.agent);
    const edits = new Edits(admin, trace, random, 15);
    await edits.prepare();
    const end = Date.now() + DURATION_MS;
    const until = async (step: () => Promise<void>): Promise<void> => {
      while (Date.now() < end) await step();
    };
    try {
      await Promise.all([
        until(async () => {
          tell(await edits.random());
          await wait(random.below(700));
        }),
        until(async () => {
          await wait(random.below(2500));
          await randomFault(node.fake, random, tell);
        }),
        until(async () => {
          await wait(3000 + random.below(8000));
          tell('kill -9');
          await node.agent.kill9();
          await wait(random.below(3) === 0 ? random.below(3000) : 0);
          await node.agent.spawn();
        }),
      ]);
      node.fake.behave();
      await node.fake.start();
      await node.agent.answers();
      tell('peace');

      const current = async (): Promise<{ made: Made; pod: Pod }[]> =>
        (await podsOn(admin)).map((pod) => {
          const made = edits.made.find(({ uid }) => uid === pod.metadata?.uid);
          if (made === undefined) throw new Error(`${pod.metadata?.name} is nobody's`);
          return { made, pod };
        });
      const settled = await eventually(async () => {
        const found = await current();
        return found.every(({ made, pod }) => isSettled(made, pod)) && found;
      }, 90_000).catch(async (error: unknown) => {
        const open = (await current()).filter(({ made, pod }) => !isSettled(made, pod));
        tell(
          `not settled: ${JSON.stringify(open.map(({ made, pod }) => [made, pod.metadata?.deletionTimestamp, pod.status]))}`,
        );
        throw error;
      });

      // The agent knows just the API server's pods, and the disk has just their folders.
      const uids = settled.map(({ made }) => made.uid).sort();
      await eventually(async () => {
        const views = await node.agent.pods();
        const { podFolders } = await takeNodeInventory(node.containerd, node.agent);
        const known = views.map(({ pod }) => pod.metadata?.uid ?? '').sort();
        return JSON.stringify([known, podFolders]) === JSON.stringify([uids, uids]);
      }, 90_000);
      // A process for each container that runs, one for its sandbox, and no others; of crashing ones now and then.
      const steady = settled.filter(({ made }) => !runsOnce(made.kind) && made.kind !== 'crash');
      const crashing = settled.filter(({ made }) => made.kind === 'crash').length;
      const { tasks } = await takeNodeInventory(node.containerd, node.agent);
      expect(tasks).toEqual(
        expect.arrayContaining(
          steady.map(({ pod }) => statusOf({ pod })?.containerID?.replace('containerd://', '')),
        ),
      );
      expect(tasks.length).toBeGreaterThanOrEqual(steady.length * 2 + crashing);
      expect(tasks.length).toBeLessThanOrEqual(steady.length * 2 + crashing * 2);

      // How often each container ran.
      for (const { uid, name, kind } of edits.made) {
        const starts = (await trace.starts(name)).filter((each) => each === uid).length;
        if (runsOnce(kind)) expect([name, uid, kind, starts <= 1]).toEqual([name, uid, kind, true]);
      }
      for (const { made, pod } of steady) {
        const starts = (await trace.starts(made.name)).filter((each) => each === made.uid).length;
        const { restartCount = 0 } = statusOf({ pod }) ?? {};
        expect([made, starts >= 1, starts <= restartCount + 1]).toEqual([made, true, true]);
      }
      expect(stepsBack(node.fake.recorder)).toEqual([]);
      // What a pod names may be read only while the pod is there, and that may have gone a moment ago.
      const rightful = /^GET .*\/configmaps\?/;
      expect(forbidden(node.fake.recorder).filter((each) => !rightful.test(each))).toEqual([]);

      for (const { made } of settled) await admin.delete(testResources.pods, { name: made.name });
      await eventually(async () => (await podsOn(admin)).length === 0, 60_000);
      expect(await finallyLeft(node.containerd, node.agent, before)).toEqual({});
    } catch (error) {
      console.log(`soak:\n${history.join('\n')}`);
      throw error;
    }
  });
});

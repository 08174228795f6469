/**
 * Random edits of the directory of manifests while the agent is killed again and again. `NODELET_SOAK_SEED` repeats a
 * run's edits; what the kills hit depends on the machine all the same.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAgent } from '#test/bed/agent.ts';
import type { TestAgent } from '#test/bed/agent.ts';
import { containerdVersion, startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { hadItsRun, identity, isRunning } from '#test/bed/manifests.ts';
import { finallyLeft, takeNodeInventory } from '#test/bed/node-inventory.ts';
import type { PodView } from '#server/view.ts';
import { Edits } from './edits.ts';
import type { Slot } from './edits.ts';
import { Random } from './random.ts';

const EDITS = 200;
const KILLS = 30;

let containerd: TestContainerd;
let agent: TestAgent;
beforeAll(async () => {
  containerd = await startContainerd();
  agent = await startAgent({ containerd });
});
afterAll(async () => {
  try {
    await agent.destroy();
  } finally {
    await containerd.destroy();
  }
});

const versionOf = ({ pod }: PodView): number => Number(pod.spec?.containers[0]?.env?.[0]?.value);

function isSettled(slot: Slot, view: PodView | undefined): boolean {
  if (view === undefined || view.terminating || versionOf(view) !== slot.version) return false;
  if (slot.kind === 'job') return hadItsRun(view);
  if (slot.kind === 'crash') return view.pod.status?.containerStatuses?.[0]?.state?.waiting !== undefined;
  return isRunning(view);
}

/** Waits until just the pods of the slots are there, in their versions. */
async function expectDesired(slots: readonly Slot[]): Promise<void> {
  const wanted = slots.filter(({ state }) => state !== 'absent');
  await agent.waitFor(async () => {
    const views = await agent.pods();
    const of = (slot: Slot): PodView | undefined =>
      views.find(({ pod }) => pod.metadata?.name === `${slot.name}-${agent.nodeName}`);
    return views.length === wanted.length && wanted.every((slot) => isSettled(slot, of(slot)));
  }, 90_000);
  // The runtime has no second one of anything: a process for each running container and each sandbox that holds one.
  const views = await agent.pods();
  const running = views.flatMap(({ pod }) =>
    [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
      .filter(({ state }) => state?.running !== undefined)
      .map(({ containerID }) => containerID?.replace('containerd://', '')),
  );
  const sandboxes = wanted.filter(({ kind }) => kind !== 'job').length;
  const tasks = async (): Promise<string[]> => {
    const lines = (await containerd.ctr('tasks', 'list')).split('\n');
    return lines.filter((line) => line.includes('RUNNING')).map((line) => line.split(/\s+/)[0] ?? '');
  };
  const settled = await agent.waitFor(async () => {
    const found = await tasks();
    return found.length === running.length + sandboxes && found;
  });
  expect(settled).toEqual(expect.arrayContaining(running));
}

test(`${EDITS} random edits and ${KILLS} kills`, { timeout: 400_000 }, async (context) => {
  const version = await containerdVersion();
  if ((version[0] ?? 0) < 2) context.skip('one containerd is enough: the soak runs with version 2');
  const random = new Random(Number(process.env['NODELET_SOAK_SEED'] ?? Math.floor(Math.random() * 2 ** 31)));
  console.log(`soak: NODELET_SOAK_SEED=${random.seed}`);
  const before = await takeNodeInventory(containerd, agent);
  const traceFolder = join(agent.dir, 'trace');
  await mkdir(traceFolder);
  const edits = new Edits(agent, random, traceFolder);
  const history: string[] = [];
  const killAt = new Set<number>();
  while (killAt.size < KILLS) killAt.add(random.below(EDITS));
  try {
    for (let edit = 0; edit < EDITS; edit += 1) {
      history.push(await edits.random());
      await wait(random.below(4) === 0 ? random.below(600) : random.below(120));
      if (!killAt.has(edit)) continue;
      history.push('kill -9');
      await agent.kill9();
      // Edits go on while no agent runs, and while one starts.
      if (random.below(3) === 0) history.push(await edits.random());
      await agent.spawn();
      if (random.below(2) === 0) await agent.answers();
    }
    await agent.answers();
    // What a broken file falls back to depends on what the agent saw before: mend them to know.
    for (const slot of edits.slots) if (slot.state === 'broken') history.push(await edits.restore(slot));
    await expectDesired(edits.slots);

    // Broken edits leave everything running, also over a kill.
    const identities = async (): Promise<unknown> =>
      (await agent.pods())
        .filter(({ pod }) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined)
        .map(identity)
        .map((each) => JSON.stringify(each))
        .sort();
    const stable = await identities();
    for (const slot of edits.slots) if (slot.state === 'good') history.push(await edits.spoil(slot));
    const files = edits.slots.filter(({ state }) => state === 'broken').length;
    await agent.waitFor(
      async () => (await agent.client.problems()).filter(({ lastGoodRuns }) => lastGoodRuns).length === files,
    );
    await agent.kill9();
    await agent.restart();
    await expectDesired(edits.slots);
    expect(await identities()).toEqual(stable);

    for (const slot of edits.slots) await edits.drop(slot);
    await agent.waitFor(async () => (await agent.pods()).length === 0, 90_000);
    const runs = (await readFile(join(traceFolder, 'runs'), 'utf8').catch(() => ''))
      .split('\n')
      .filter(Boolean);
    expect(runs.length).toBe(new Set(runs).size);
    expect(await finallyLeft(containerd, agent, before)).toEqual({});
  } catch (error) {
    console.log(`soak: edits with seed ${random.seed}:\n${history.join('\n')}`);
    throw error;
  }
});

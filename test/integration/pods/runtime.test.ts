import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { container, identity, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode({ flags: ['--runtime-request-timeout=10s'] });

const ready = async (): Promise<{ status?: string; message?: string } | undefined> =>
  (await node.agent.client.node()).status?.conditions?.find(({ type }) => type === 'Ready');

test('a runtime that is killed and comes back: pods run on, and the agent goes on', async () => {
  await node.agent.write('stays.yaml', podManifest('stays', [container('one'), container('two')]));
  const before = identity(await node.agent.waitForPod('stays', isRunning));
  await node.containerd.kill9();
  // What is written while it is away waits for it, and the reason is shown.
  await node.agent.write('later.yaml', podManifest('later', [container('main')]));
  const waiting = await node.agent.waitForPod('later', ({ waits }) => waits.length > 0);
  expect(waiting.waits[0]?.message).toMatch(/\S/);
  await node.agent.waitFor(async () => (await ready())?.status === 'False');
  expect((await ready())?.message).toMatch(/\S/);
  await node.containerd.restart();
  const later = await node.agent.waitForPod('later', isRunning);
  expect(statusOf(later)?.restartCount).toBe(0);
  expect(identity(await node.agent.waitForPod('stays', isRunning))).toEqual(before);
  await node.agent.waitFor(async () => (await ready())?.status === 'True');
  // Events, or lists in their place, work on the new connection.
  const id = statusOf(later)?.containerID?.replace('containerd://', '') ?? '';
  await node.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', id);
  await node.agent.waitForPod('later', (view) => statusOf(view)?.restartCount === 1 && isRunning(view));
});

test('a runtime that hangs for 40 s: nothing is lost, and the node says why it is not Ready', async () => {
  await node.agent.write('calm.yaml', podManifest('calm', [container('main')]));
  const calm = identity(await node.agent.waitForPod('calm', isRunning));
  const pid = node.containerd.pid();
  process.kill(pid, 'SIGSTOP');
  try {
    const resume = performance.now() + 40_000;
    await node.agent.write('new.yaml', podManifest('new', [container('main')]));
    await node.agent.remove('later.yaml');
    await node.agent.waitFor(async () => (await ready())?.status === 'False', 50_000);
    const { stdout } = await node.agent.cli('get', 'node');
    expect(stdout).toContain('NotReady');
    expect((await ready())?.message).toMatch(/deadline|did not answer|DEADLINE|runtime/i);
    // The agent itself answers all the time.
    expect((await node.agent.cli('get', 'pods')).code).toBe(0);
    await wait(Math.max(0, resume - performance.now()));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const fresh = await node.agent.waitForPod('new', isRunning);
  expect(statusOf(fresh)?.restartCount).toBe(0);
  await node.agent.waitForGone('later');
  await node.agent.waitFor(async () => (await ready())?.status === 'True');
  expect(identity(await node.agent.waitForPod('calm', isRunning))).toEqual(calm);
  const { sandboxes } = await node.containerd.inventory();
  const pods = (await node.agent.pods()).length;
  // A sandbox whose making the agent gave up on is no leftover for long.
  await node.agent
    .waitFor(async () => (await node.containerd.inventory()).sandboxes.length === pods, 90_000)
    .catch(() => undefined);
  expect((await node.containerd.inventory()).sandboxes.length, `at first ${sandboxes.length}`).toBe(pods);
});

test('garbage: dead containers and sandboxes are bounded, and their logs go with them', async () => {
  await node.agent.write('churn.yaml', podManifest('churn', [container('main', 'exit 1')]));
  const view = await node.agent.waitForPod('churn', (each) => (statusOf(each)?.restartCount ?? 0) >= 2);
  const uid = view.pod.metadata?.uid ?? '';
  const of = async (kind: string): Promise<string[]> => {
    const filter = `labels."io.kubernetes.pod.uid"==${uid},labels."io.cri-containerd.kind"==${kind}`;
    return (await node.containerd.ctr('containers', 'list', '-q', filter)).split('\n').filter(Boolean);
  };
  for (let round = 1; round <= 3; round += 1) {
    const alive = await node.agent.waitFor(async () => {
      const tasks = await node.containerd.ctr('tasks', 'list');
      const lines = tasks.split('\n').filter((line) => line.includes('RUNNING'));
      return (await of('sandbox')).find((id) => lines.some((line) => line.startsWith(id)));
    });
    const known = await of('sandbox');
    await node.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', alive);
    await node.agent.waitFor(async () => (await of('sandbox')).some((id) => !known.includes(id)));
  }
  expect((await of('sandbox')).length).toBe(4);
  // The collector runs when an agent starts, and each minute. The newest dead container stays, with its sandbox.
  await node.agent.restart();
  await node.agent.waitFor(
    async () => (await of('container')).length <= 2 && (await of('sandbox')).length <= 2,
    90_000,
  );
  const newest = statusOf((await node.agent.pod('churn')) ?? ({} as never))?.restartCount ?? 0;
  const log = await readFile(join(node.agent.podLogs, `default_churn-n1_${uid}/main/${newest}.log`), 'utf8');
  expect(log).toBe('');
});

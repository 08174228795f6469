/** `--offline-start-after`: the machine comes up again and the API server does not answer. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { exec } from '#test/bed/exec.ts';
import { mountTable } from '#test/bed/inventory.ts';
import { hasPhase, isRunning, statusOf } from '#test/bed/manifests.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { type ApiView, useClusterNode } from '#test/control-plane/cluster-node.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden, stepsBack } from './expectations.ts';
import { Trace } from './traced.ts';

const { pods, secrets } = testResources;
const never = { restartPolicy: 'Never' } as const;
const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'a-set', controller: true };

describeFakeOnly('offline start', 'a server that is away', () => {
  const node = useClusterNode({ flags: ['--offline-start-after=3s'] });
  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  /** What a power cut leaves: no process of any pod, and what is on the disk. */
  async function endAllProcesses(): Promise<void> {
    await node.agent.kill9();
    await node.agent.waitFor(async () => {
      const { tasks } = await node.containerd.inventory();
      for (const id of tasks) {
        await node.containerd.ctr('tasks', 'kill', '-s', 'SIGKILL', '-a', id).catch(() => undefined);
      }
      return tasks.length === 0;
    });
    for (const { point, type } of (await mountTable()).toReversed()) {
      if (type === 'tmpfs' && point.startsWith(`${node.agent.rootDir}/pods/`)) await exec('umount', [point]);
    }
  }

  test('what ran comes back, what another node may run by now waits, what is over stays so', async () => {
    const admin = await node.fake.sideDoor();
    const trace = await Trace.create(node.agent.dir);
    await admin.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login', namespace: 'default' },
      data: { password: Buffer.from('CANARY').toString('base64') },
    });
    const login = { name: 'login', secret: { secretName: 'login' } };
    await node.createPod(trace.pod('back'));
    await node.createPod(trace.pod('done', 'exit 0', never));
    await node.createPod(trace.pod('ran', undefined, never));
    await node.createPod(trace.pod('secret', undefined, { volumes: [login] }));
    await node.createPod(trace.pod('db-0', undefined, {}, { ownerReferences: [owner] }));
    await node.createPod(trace.pod('gone'));
    for (const name of ['back', 'ran', 'secret', 'db-0', 'gone']) await node.waitForPod(name, isRunning);
    await node.waitForPod('done', hasPhase('Succeeded'));

    // What a start without the server needs is written a few seconds after it has changed.
    await node.agent.waitFor(() => readFile(join(node.agent.rootDir, 'services.json'), 'utf8'), 10_000);
    await node.fake.stop();
    await endAllProcesses();
    await admin.delete(pods, { name: 'gone' }, { gracePeriodSeconds: 0 });
    await createPodOn(admin, trace.pod('comes'), 'n1');
    await node.agent.restart();
    await node.agent.waitForPod('back', isRunning);
    await wait(6000);
    const starts = async (...names: string[]): Promise<Record<string, number>> =>
      Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, (await trace.starts(name)).length] as const)),
      );
    const all = ['back', 'done', 'ran', 'secret', 'db-0', 'gone', 'comes'];
    // That one was taken away the node can't know: it is a pod like any other.
    expect(await starts(...all)).toEqual({
      back: 2,
      done: 1,
      ran: 1,
      secret: 1,
      'db-0': 1,
      gone: 2,
      comes: 0,
    });

    await node.fake.start();
    await node.waitForPod('comes', isRunning, { timeoutMs: 40_000 });
    // The server has their statuses of before, first.
    for (const name of ['back', 'secret', 'db-0']) {
      const again = (view: ApiView): boolean => isRunning(view) && statusOf(view)?.restartCount === 1;
      await node.waitForPod(name, again, { timeoutMs: 40_000 });
    }
    await node.waitForPod('ran', hasPhase('Failed'), { timeoutMs: 40_000 });
    await node.agent.waitForGone('gone');
    expect(await starts(...all)).toEqual({
      back: 2,
      done: 1,
      ran: 1,
      secret: 2,
      'db-0': 2,
      gone: 2,
      comes: 1,
    });
  });
});

import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { connect } from '#cri/grpc/connect.ts';
import { containerConfig, sandboxConfig } from '#cri/testing/configs.ts';
import { systemClock } from '#host/clock.ts';
import { untilNothingLeft } from '#test/bed/inventory.ts';
import {
  container,
  hadItsRun,
  hasPhase,
  identity,
  isRunning,
  podManifest,
  statusOf,
  untilTerm,
} from '#test/bed/manifests.ts';
import { finallyLeft, takeNodeInventory } from '#test/bed/node-inventory.ts';
import type { NodeInventory } from '#test/bed/node-inventory.ts';
import { useNode } from './node.ts';

const node = useNode();
const never = { restartPolicy: 'Never' };
const mount = { volumeMounts: [{ name: 'trace', mountPath: '/trace' }] };

async function traces(name: string) {
  const path = join(node.agent.dir, 'traces', name);
  await mkdir(path, { recursive: true });
  return {
    volumes: [{ name: 'trace', hostPath: { path } }],
    read: async () =>
      (await readFile(join(path, 'trace'), 'utf8').catch(() => '')).split('\n').filter(Boolean),
  };
}

const inventory = (): Promise<NodeInventory> => takeNodeInventory(node.containerd, node.agent);

async function expectNothingLeft(before: NodeInventory): Promise<void> {
  expect(await finallyLeft(node.containerd, node.agent, before)).toEqual({});
}

const clear = async (...files: string[]): Promise<void> => {
  for (const file of files) await node.agent.remove(file);
  await node.agent.waitFor(async () => (await node.agent.pods()).length === 0);
};

// Also after a test that failed: the next must not fail for what it left.
afterEach(async () => {
  await clear(...(await readdir(node.agent.manifests)));
});

describe('a kill -9 of the agent', () => {
  test('changes nothing for pods of every kind', async () => {
    const before = await inventory();
    const trace = await traces('kinds');
    const { volumes } = trace;
    const files = {
      'plain.yaml': podManifest('plain', [container('one'), container('two')]),
      'init.yaml': podManifest('init', [container('app')], {
        initContainers: [
          container('setup', 'echo setup >>/trace/trace', mount),
          container('side', untilTerm, { restartPolicy: 'Always' }),
        ],
        volumes,
      }),
      'memory.yaml': podManifest(
        'memory',
        [
          container('app', `echo kept >/m/file; ${untilTerm}`, {
            volumeMounts: [{ name: 'm', mountPath: '/m' }],
          }),
        ],
        {
          volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }],
        },
      ),
      'job.yaml': podManifest('job', [container('main', 'echo job >>/trace/trace', mount)], {
        ...never,
        volumes,
      }),
      'failed.yaml': podManifest('failed', [container('main', 'echo failed >>/trace/trace; exit 4', mount)], {
        ...never,
        volumes,
      }),
      'crash.yaml': podManifest('crash', [container('main', 'exit 1')]),
    };
    for (const [file, text] of Object.entries(files)) await node.agent.write(file, text);
    for (const name of ['plain', 'init', 'memory']) await node.agent.waitForPod(name, isRunning);
    await node.agent.waitForPod('job', hasPhase('Succeeded'));
    await node.agent.waitForPod('failed', hasPhase('Failed'));
    await node.agent.waitForPod(
      'crash',
      (view) => statusOf(view)?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    const all = async (): Promise<Map<string, unknown>> =>
      new Map((await node.agent.pods()).map((view) => [view.pod.metadata?.name ?? '', identity(view)]));
    const known = await all();
    expect(known.size).toBe(6);
    const crashes = statusOf((await node.agent.pod('crash')) ?? ({} as never))?.restartCount ?? 0;
    for (let round = 0; round < 3; round += 1) {
      await node.agent.kill9();
      await node.agent.restart();
      // It answers before it has read the manifests, and shows a pod before it has looked at it.
      await node.agent.waitFor(async () => {
        const views = await node.agent.pods();
        return (
          views.length === known.size && views.every(({ pod }) => pod.status?.containerStatuses !== undefined)
        );
      });
    }
    await node.agent.waitForPod('plain', isRunning);
    const after = await all();
    // A crash loop goes on meanwhile, at its own pace.
    const crash = await node.agent.pod('crash');
    expect(statusOf(crash ?? ({} as never))?.restartCount).toBeGreaterThanOrEqual(crashes);
    expect(statusOf(crash ?? ({} as never))?.restartCount).toBeLessThanOrEqual(crashes + 1);
    for (const map of [known, after]) map.delete('crash-n1');
    expect(after).toEqual(known);
    expect((await node.agent.pod('job'))?.pod.status?.phase).toBe('Succeeded');
    expect((await node.agent.pod('failed'))?.pod.status?.phase).toBe('Failed');
    expect((await trace.read()).sort()).toEqual(['failed', 'job', 'setup']);
    const kept = await node.agent.cli('exec', 'memory', '--', 'cat', '/m/file');
    expect(kept.stdout).toBe('kept\n');
    await clear(...Object.keys(files));
    await expectNothingLeft(before);
  });

  test('at any moment while pods are being made: each runs once', async () => {
    const before = await inventory();
    const trace = await traces('creation');
    const { volumes } = trace;
    const rounds = 16;
    let restarts = 0;
    for (let round = 0; round < rounds; round += 1) {
      const delay = Math.floor(Math.random() * 400);
      const files = {
        'app.yaml': podManifest(`app${round}`, [container('one'), container('two')], {
          initContainers: [container('setup', `echo setup ${round} >>/trace/trace`, mount)],
          volumes,
        }),
        'job.yaml': podManifest(
          `job${round}`,
          [container('main', `echo job ${round} >>/trace/trace`, mount)],
          { ...never, volumes },
        ),
      };
      for (const [file, text] of Object.entries(files)) await node.agent.write(file, text);
      await wait(delay);
      await node.agent.kill9();
      await node.agent.restart();
      const context = `round ${round}, killed after ${delay} ms`;
      const app = await node.agent.waitForPod(`app${round}`, isRunning);
      // A start that the kill cut off counts as one; nothing else may.
      for (const { restartCount } of app.pod.status?.containerStatuses ?? [])
        expect(restartCount, context).toBeLessThanOrEqual(1);
      const job = await node.agent.waitForPod(`job${round}`, hadItsRun);
      const runs = (await trace.read()).filter((line) => line.endsWith(` ${round}`));
      const of = (what: string): number => runs.filter((line) => line.startsWith(what)).length;
      expect(of('job'), context).toBeLessThanOrEqual(1);
      if (hasPhase('Succeeded')(job)) expect(of('job'), context).toBe(1);
      restarts += app.pod.status?.containerStatuses?.filter((status) => status.restartCount > 0).length ?? 0;
      expect(of('setup'), context).toBeGreaterThanOrEqual(1);
      expect(of('setup'), context).toBeLessThanOrEqual(2);
    }
    expect(restarts).toBeLessThan(rounds / 2);
    await clear('app.yaml', 'job.yaml');
    await expectNothingLeft(before);
  });

  test('at any moment while pods are being ended or replaced: nothing stays, nothing is lost', async () => {
    const before = await inventory();
    const manifest = (version: number): string =>
      podManifest('app', [
        container('main', `trap 'sleep 0.2; exit 0' TERM; sleep 1000 & wait $!`, {
          env: [{ name: 'VERSION', value: `${version}` }],
        }),
      ]);
    await node.agent.write('app.yaml', manifest(0));
    await node.agent.waitForPod('app', isRunning);
    for (let round = 1; round <= 10; round += 1) {
      const delay = Math.floor(Math.random() * 500);
      if (round % 3 === 0) await node.agent.remove('app.yaml');
      else await node.agent.write('app.yaml', manifest(round));
      await wait(delay);
      await node.agent.kill9();
      await node.agent.restart();
      if (round % 3 === 0) await node.agent.waitForGone('app');
      else {
        const view = await node.agent.waitForPod(
          'app',
          (each) =>
            isRunning(each) &&
            !each.terminating &&
            each.pod.spec?.containers[0]?.env?.[0]?.value === `${round}`,
        );
        const context = `round ${round}, killed after ${delay} ms`;
        expect(statusOf(view)?.restartCount, context).toBeLessThanOrEqual(1);
      }
    }
    await clear('app.yaml');
    await expectNothingLeft(before);
  });

  test('what is removed while no agent runs is ended by the next', async () => {
    const before = await inventory();
    await node.agent.write('gone.yaml', podManifest('gone', [container('main')]));
    await node.agent.write('stays.yaml', podManifest('stays', [container('main')]));
    await node.agent.waitForPod('gone', isRunning);
    const stays = identity(await node.agent.waitForPod('stays', isRunning));
    await node.agent.kill9();
    await node.agent.remove('gone.yaml');
    await node.agent.restart();
    await node.agent.waitFor(async () => (await inventory()).sandboxes.length === 1);
    expect(identity(await node.agent.waitForPod('stays', isRunning))).toEqual(stays);
    await clear('stays.yaml');
    await expectNothingLeft(before);
  });

  test('a task that containerd has lost sight of goes with its pod, within seconds', async () => {
    const before = await inventory();
    await node.agent.write('stuck.yaml', podManifest('stuck', [container('main')]));
    const { pod } = await node.agent.waitForPod('stuck', isRunning);
    const uid = pod.metadata?.uid ?? '';
    await node.agent.kill9();
    const connection = await connect(node.containerd.endpoint, { clock: systemClock });
    try {
      const labels = { 'io.kubernetes.pod.uid': uid };
      const [sandbox] = await connection.runtime.listPodSandbox({ labelSelector: labels });
      const config = sandboxConfig('stuck', { uid });
      config.linux.cgroupParent = `/kubepods/besteffort/pod${uid}`;
      const command = ['/bin/sh', '-c', 'sleep 1000'];
      const lost = await connection.runtime.createContainer(
        sandbox?.id ?? '',
        containerConfig('main', node.containerd.image, { attempt: 1, command, labels }),
        config,
      );
      // What a StartContainer that is cut off comes to now and then: the task runs, and CRI doesn't know of it.
      await node.containerd.ctr('tasks', 'start', '--detach', '--null-io', lost);
    } finally {
      connection.close();
    }
    await node.agent.remove('stuck.yaml');
    await node.agent.restart();
    await node.agent.waitFor(async () => (await inventory()).sandboxes.length === 0, 15_000);
    expect(await untilNothingLeft(before, inventory, 15_000)).toEqual({});
  });

  test('a stop (TERM) leaves the pods, and ends with status 0 within 5 s', async () => {
    await node.agent.write('stays.yaml', podManifest('stays', [container('main')]));
    const before = identity(await node.agent.waitForPod('stays', isRunning));
    const start = performance.now();
    expect(await node.agent.stop()).toBe(0);
    expect(performance.now() - start).toBeLessThan(5000);
    expect((await node.containerd.inventory()).tasks).toHaveLength(2);
    await node.agent.restart();
    expect(identity(await node.agent.waitForPod('stays', isRunning))).toEqual(before);
  });
});

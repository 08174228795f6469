/** What a call leaves that is cut off in the middle, as by a kill of the agent, and that it can all be removed. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PodCgroupManager } from '#cgroups/manager.ts';
import { readCgroupLayout } from '#cgroups/detect.ts';
import { podOf } from '#cgroups/testing/pods.ts';
import { OrphanShims } from '#cri/containerd/orphan-shims.ts';
import { connect } from '#cri/grpc/connect.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { containerConfig, sandboxConfig } from '#cri/testing/configs.ts';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { containerdVersion, startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { leftovers, untilNothingLeft } from '#test/bed/inventory.ts';
import type { Inventory, Leftovers } from '#test/bed/inventory.ts';

let containerd: TestContainerd;
let connection: RuntimeConnection;
let cgroups: PodCgroupManager;
let before: Inventory;
let modern: boolean;
let shims: OrphanShims;
let watching: Promise<void> | undefined;
const stop = new AbortController();

beforeAll(async () => {
  modern = ((await containerdVersion())[0] ?? 0) >= 2;
  containerd = await startContainerd();
  connection = await connect(containerd.endpoint, { clock: systemClock });
  cgroups = new PodCgroupManager({
    layout: await readCgroupLayout(),
    driver: 'cgroupfs',
    cgroupRoot: '/',
    node: { cpuCfsQuota: true, cpuCfsQuotaPeriodUs: 100_000, hugePageSizes: [] },
    clock: systemClock,
    logger: silentLogger,
  });
  await cgroups.start();
  before = await containerd.inventory();
});

afterAll(async () => {
  stop.abort();
  await watching;
  connection?.close();
  await containerd?.destroy();
});

const podConfig = async (name: string): Promise<ReturnType<typeof sandboxConfig>> => {
  const cgroupParent = await cgroups.ensure(podOf({ containers: [] }, {}, `uid-${name}`));
  const config = sandboxConfig(name);
  return { ...config, linux: { ...config.linux, cgroupParent } };
};

/** As the pod's worker ends it: tries again while what was cut off is still under way in containerd. */
async function end(uid: string): Promise<void> {
  const { runtime } = connection;
  const filter = { labelSelector: { 'io.kubernetes.pod.uid': uid } };
  for (let tries = 1; ; tries += 1) {
    try {
      for (const { id } of await runtime.listPodSandbox(filter)) await runtime.stopPodSandbox(id);
      await cgroups.remove(uid);
      for (const { id } of await runtime.listPodSandbox(filter)) await runtime.removePodSandbox(id);
      return;
    } catch (error) {
      if (tries === 10) throw error;
      await wait(500);
    }
  }
}

const cutOff = (ms: number): { signal: AbortSignal } => ({
  signal: AbortSignal.timeout(Math.max(1, Math.round(ms))),
});

const left = async (timeoutMs: number): Promise<Leftovers<Inventory>> =>
  untilNothingLeft(before, () => containerd.inventory(), timeoutMs);

/** Pods one after the other, three at a time. */
async function each(rounds: number, pod: (round: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < rounds) await pod(next++);
  };
  await Promise.all([lane(), lane(), lane()]);
}

test('a task that CRI does not know of is removed with its pod', async () => {
  const { runtime } = connection;
  const config = await podConfig('task');
  const sandbox = await runtime.runPodSandbox(config, '');
  const command = ['/bin/sh', '-c', 'sleep 1000'];
  const container = await runtime.createContainer(
    sandbox,
    containerConfig('c', containerd.image, { command }),
    config,
  );
  // What a cut-off start comes to: a task of a container that for CRI has none.
  await containerd.ctr('tasks', 'start', '--detach', '--null-io', container);
  expect((await runtime.containerStatus(container)).state).toBe('CONTAINER_CREATED');
  await end(config.metadata.uid);
  const stayed = leftovers(before, await containerd.inventory());
  expect(stayed).toEqual(modern ? { shims: [{ id: sandbox, pid: expect.any(Number) as number }] } : {});
});

test('a task that CRI does not know of is removed with its container', async () => {
  const { runtime } = connection;
  const config = await podConfig('container');
  const sandbox = await runtime.runPodSandbox(config, '');
  const command = ['/bin/sh', '-c', 'sleep 1000'];
  const container = await runtime.createContainer(
    sandbox,
    containerConfig('c', containerd.image, { command }),
    config,
  );
  await containerd.ctr('tasks', 'start', '--detach', '--null-io', container);
  await runtime.removeContainer(container);
  expect(await containerd.inventory()).toMatchObject({ containers: [], tasks: [sandbox] });
  await end(config.metadata.uid);
});

test('a record that CRI has forgotten is removed with its sandbox', async () => {
  const id = 'f'.repeat(64);
  const label = ['--label', 'io.cri-containerd.kind=sandbox'];
  await containerd.ctr('containers', 'create', ...label, containerd.image, id);
  await containerd.ctr('tasks', 'start', '--detach', '--null-io', id);
  expect(await connection.runtime.listPodSandbox()).toEqual([]);
  await connection.runtime.removePodSandbox(id);
  const now = await containerd.inventory();
  expect([now.sandboxes, now.tasks]).toEqual([[], []]);
});

test('shims that nothing is left for are ended', async () => {
  shims = new OrphanShims({
    api: connection.containerd ?? expect.fail('not containerd'),
    endpoint: containerd.endpoint,
    clock: systemClock,
    log: silentLogger,
  });
  watching = shims.run(stop.signal);
  expect(await left(10_000)).toEqual({});
});

test('pods whose StartContainer is cut off at any moment are removed, and nothing stays', async () => {
  const { runtime } = connection;
  const command = ['/bin/sh', '-c', 'sleep 1000'];
  await each(90, async (round) => {
    const config = await podConfig(`start-${round}`);
    const sandbox = await runtime.runPodSandbox(config, '');
    const container = await runtime.createContainer(
      sandbox,
      containerConfig('c', containerd.image, { command }),
      config,
    );
    await runtime.startContainer(container, cutOff(Math.random() * 150)).catch(() => undefined);
    await end(config.metadata.uid);
  });
  shims.lookSoon();
  expect(await left(30_000)).toEqual({});
});

test('pods whose RunPodSandbox is cut off at any moment are removed, and nothing stays', async () => {
  await each(90, async (round) => {
    const config = await podConfig(`run-${round}`);
    await connection.runtime.runPodSandbox(config, '', cutOff(Math.random() * 400)).catch(() => undefined);
  });
  const uids = Array.from({ length: 90 }, (_, round) => `uid-run-${round}`);
  // containerd cleans up by itself for a moment, and shows afterwards what it could not.
  await wait(2000);
  for (const uid of uids) await end(uid);
  shims.lookSoon();
  expect(await left(30_000)).toEqual({});
});

import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { readMounts } from '#host/mounts.ts';
import { silentLogger } from '#lib/logger.ts';
import { GarbageCollector } from '#kubelet/gc/garbage-collector.ts';
import type { BlockedPod } from '#kubelet/gc/pods.ts';
import { TerminationMessageFiles } from '#kubelet/logs/termination-message.ts';
import { containerLogLink } from '#kubelet/paths.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { exec } from '#test/bed/exec.ts';
import type { Inventory } from '#test/bed/inventory.ts';
import { logBed } from '../logs/log-bed.ts';
import type { LogBed } from '../logs/log-bed.ts';

let bed: LogBed;
let before: Inventory;
const desired = new Set<string>();
const blocked: BlockedPod[][] = [];
const signal = (): AbortSignal => AbortSignal.timeout(60_000);

beforeAll(async () => {
  bed = await logBed();
  before = await bed.containerd.inventory();
});
afterAll(() => bed.destroy());

const collector = (): GarbageCollector =>
  new GarbageCollector({
    runtime: bed.runtime,
    paths: bed.paths,
    pods: {
      desiredUids: () => desired,
      isProtected: () => false,
      exclusively: (_uid, work) => work(),
    },
    volumes: { tearDown: () => Promise.resolve() },
    cgroups: { list: () => Promise.resolve([]), remove: () => Promise.resolve() },
    mountPoints: async () => (await readMounts()).map(({ mountPoint }) => mountPoint),
    onBlocked: (pods) => void blocked.push([...pods]),
    clock: systemClock,
    logger: silentLogger,
  });

/** Ends a container of the pod, with everything that an agent makes for it. */
async function ended(sandbox: string, pod: string, attempt: number): Promise<string> {
  const identity = { namespace: 'default', name: pod, uid: `uid-${pod}` };
  const files = new TerminationMessageFiles(bed.paths, systemClock, silentLogger);
  const hostPath = await files.prepare({ metadata: identity } as AgentPod, { name: 'main' });
  const mounts = [{ containerPath: '/dev/termination-log', hostPath, readonly: false }];
  const { id, path } = await bed.start(sandbox, pod, 'main', 'echo done', { attempt, mounts });
  await bed.ended(id);
  await symlink(path, containerLogLink(bed.paths, identity, 'main', id));
  await writeFile(`${path}.20260102-030405.gz`, '');
  return id;
}

test('a living pod keeps its newest dead container, a pod that is gone keeps nothing', async () => {
  desired.add('uid-web');
  const sandbox = await bed.pod('web');
  await ended(sandbox, 'web', 0);
  const kept = await ended(sandbox, 'web', 1);
  const gone = await bed.pod('gone');
  await ended(gone, 'gone', 0);
  // It died without anybody stopping it: its network namespace and address are still taken.
  const { shims } = await bed.containerd.inventory();
  expect(shims.map(({ id }) => id)).toContain(gone);
  await bed.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', gone);
  for (let tries = 100; (await bed.runtime.podSandboxStatus(gone)).state === 'SANDBOX_READY'; tries--) {
    expect(tries).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  expect(await collector().run(signal())).toMatchObject({
    containers: 2,
    sandboxes: 1,
    logDirectories: 1,
    podDirectories: 1,
    failures: 0,
    blocked: [],
  });
  expect((await bed.runtime.listContainers()).map(({ id }) => id)).toEqual([kept]);
  expect((await bed.runtime.listPodSandbox()).map(({ id }) => id)).toEqual([sandbox]);
  expect(await readdir(bed.paths.podLogs)).toEqual(['default_web_uid-web']);
  expect((await readdir(join(bed.paths.podLogs, 'default_web_uid-web', 'main'))).sort()).toEqual([
    '1.log',
    '1.log.20260102-030405.gz',
  ]);
  expect(await readdir(bed.paths.containerLogs)).toEqual([`web_default_main-${kept}.log`]);
  expect(await readdir(join(bed.paths.root, 'pods', 'uid-web', 'containers', 'main'))).toHaveLength(1);
  expect(await readdir(join(bed.paths.root, 'pods'))).toEqual(['uid-web']);

  desired.clear();
  await bed.runtime.stopPodSandbox(sandbox);
  await collector().run(signal());
  const after = await bed.containerd.inventory();
  expect(after).toEqual({ ...before, links: after.links, natRules: after.natRules });
  expect(after.addresses).toEqual(before.addresses);
  for (const path of [bed.paths.podLogs, bed.paths.containerLogs, join(bed.paths.root, 'pods')]) {
    expect(await readdir(path)).toEqual([]);
  }
});

test('a pod’s folder with a mount in it is left alone, bind mounts of the same filesystem too', async () => {
  const pods = join(bed.paths.root, 'pods');
  const data = join(bed.paths.root, 'data');
  await mkdir(data);
  await writeFile(join(data, 'precious'), '');
  const tmpfs = join(pods, 'uid-a/volumes/kubernetes.io~empty-dir/memory');
  const bind = join(pods, 'uid-b/plugins/somebody/bound');
  for (const path of [tmpfs, bind, join(pods, 'uid-c/volumes/kubernetes.io~csi/empty')]) {
    await mkdir(path, { recursive: true });
  }
  await exec('mount', ['-t', 'tmpfs', 'tmpfs', tmpfs]);
  await exec('mount', ['--bind', data, bind]);
  await writeFile(join(tmpfs, 'precious'), '');
  try {
    blocked.length = 0;
    expect(await collector().run(signal())).toMatchObject({ podDirectories: 1 });
    expect(blocked.map((pods) => pods.map(({ path, why }) => ({ path, why })))).toEqual([
      [
        { path: tmpfs, why: 'mount' },
        { path: bind, why: 'mount' },
      ],
    ]);
    expect(await readdir(data)).toEqual(['precious']);
    expect(await readdir(tmpfs)).toEqual(['precious']);
  } finally {
    await exec('umount', [tmpfs]);
    await exec('umount', [bind]);
  }
  expect(await collector().run(signal())).toMatchObject({ podDirectories: 2, blocked: [] });
  expect(await readdir(pods)).toEqual([]);
  expect(await readdir(data)).toEqual(['precious']);
});

/** Volumes from ConfigMaps, Secrets and the pod itself, on real tmpfs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, readdir, readlink, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { mountAt, mountTmpfs, mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import { makeFolder } from '#host/volume-files.ts';
import { FakeObjects } from '#lib/kube/testing/fake-objects.ts';
import type { AgentPod, PodSpec, Volume } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { tmpfsKnowsNoswap } from '#volumes/empty-dir.ts';
import { VolumeError } from '#volumes/errors.ts';
import { objectPlugins } from '#volumes/object-volumes.ts';
import { PodVolumeManager } from '#volumes/pod-volumes.ts';
import { prepareSubPath } from '#volumes/sub-path.ts';
import { churnPod, contentOf } from './content-pod.ts';

const signal = new AbortController().signal;
const noswap = await tmpfsKnowsNoswap();
let root: string;
let objects: FakeObjects;
let token: string;
let manager: PodVolumeManager;

const managerOn = (): PodVolumeManager =>
  new PodVolumeManager({
    root,
    plugins: objectPlugins(
      { objects, tokens: { token: () => Promise.resolve(token) }, allocatable: () => new Map() },
      { allocatableMemoryBytes: () => 2 ** 26, noswap, clock: systemClock },
    ),
    clock: systemClock,
    logger: silentLogger,
  });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nodelet objects-'));
  objects = new FakeObjects();
  objects.configMaps.set('ns/cm', { data: { 'app.conf': 'one' } });
  objects.secrets.set('ns/s', { password: 'CANARY-one' });
  token = 'CANARY-token-1';
  manager = managerOn();
});
afterEach(async () => {
  for (const { mountPoint } of mountsBelow(await readMounts(), root))
    await unmount(mountPoint, { detach: true });
  await rm(root, { recursive: true, force: true });
});

function podWith(volumes: Volume[], more: Partial<PodSpec> = {}, labels = { app: 'web' }): AgentPod {
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  return {
    metadata: { name: 'p', namespace: 'ns', uid: 'u-1', labels },
    spec: { containers: [{ name: 'c', volumeMounts }], volumes, ...more },
  };
}

const all: Volume[] = [
  { name: 'config', configMap: { name: 'cm', defaultMode: 0o440 } },
  { name: 'secret', secret: { secretName: 's', defaultMode: 0o400 } },
  { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  {
    name: 'access',
    projected: {
      sources: [
        { serviceAccountToken: { path: 'token' } },
        { configMap: { name: 'cm', items: [{ key: 'app.conf', path: 'deep/er/app.conf' }] } },
      ],
    },
  },
];
const KINDS = {
  config: 'kubernetes.io~configmap',
  secret: 'kubernetes.io~secret',
  down: 'kubernetes.io~downward-api',
  access: 'kubernetes.io~projected',
};
const at = (volume: keyof typeof KINDS, path = ''): string =>
  join(root, 'pods/u-1/volumes', KINDS[volume], volume, path);
const text = (volume: keyof typeof KINDS, path: string): Promise<string> =>
  readFile(at(volume, path), 'utf8');
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);

describe('set up', () => {
  test('files, modes, and what is in memory', async () => {
    const ready = await manager.setUp(podWith(all), signal);
    expect([...ready]).toEqual(
      Object.keys(KINDS).map((name) => [
        name,
        { hostPath: at(name as keyof typeof KINDS), readOnly: true, selinuxRelabel: true },
      ]),
    );
    expect(await text('config', 'app.conf')).toBe('one');
    expect(await modeOf(at('config', 'app.conf'))).toBe('440');
    expect(await text('secret', 'password')).toBe('CANARY-one');
    expect(await modeOf(at('secret', 'password'))).toBe('400');
    expect(await text('down', 'labels')).toBe('app="web"');
    expect(await text('access', 'token')).toBe('CANARY-token-1');
    expect(await text('access', 'deep/er/app.conf')).toBe('one');
    const mounts = await readMounts();
    for (const volume of ['secret', 'down', 'access'] as const) {
      const mount = mountAt(mounts, at(volume));
      expect(mount?.type).toBe('tmpfs');
      if (noswap) expect(mount?.superOptions).toContain('noswap');
      const { blocks, bsize } = await statfs(at(volume));
      expect(blocks * bsize).toBe(2 ** 26);
    }
    expect(mountAt(mounts, at('config'))).toBeUndefined();
    await manager.tearDown('u-1', signal);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
    expect(mountsBelow(await readMounts(), root)).toEqual([]);
  });

  test('the pod’s group reads everything, others don’t read a token', async () => {
    await manager.setUp(podWith(all, { securityContext: { fsGroup: 4000, runAsUser: 1000 } }), signal);
    expect(await stat(at('access', 'token'))).toMatchObject({ uid: 1000, gid: 4000 });
    expect(await modeOf(at('access', 'token'))).toBe('640');
    expect(await modeOf(at('secret', 'password'))).toBe('440');
    expect(await stat(at('secret'))).toMatchObject({ gid: 4000 });
    expect(await modeOf(at('config'))).toBe('2777');
    expect(await modeOf(at('secret'))).toBe('3777');
    await manager.refresh(podWith(all, { securityContext: { fsGroup: 4000, runAsUser: 1000 } }), signal);
    expect(await modeOf(at('config'))).toBe('2777');
  });

  test('a missing object: nothing is made, upstream’s words, and it comes right', async () => {
    objects.secrets.clear();
    const pod = podWith(all.slice(1, 2));
    const error: unknown = await manager.setUp(pod, signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(VolumeError);
    expect((error as VolumeError).problem).toBe('secret "s" not found');
    expect(mountsBelow(await readMounts(), root)).toEqual([]);
    objects.secrets.set('ns/s', { password: 'here' });
    await manager.setUp(pod, signal);
    expect(await text('secret', 'password')).toBe('here');
  });

  test('a tmpfs that an agent mounted before it was killed is filled, not hidden by another', async () => {
    await makeFolder(at('secret'), 0o700);
    await mountTmpfs(at('secret'), ['size=1m']);
    await manager.setUp(podWith(all.slice(1, 2)), signal);
    expect(mountsBelow(await readMounts(), root)).toHaveLength(1);
    expect(await text('secret', 'password')).toBe('CANARY-one');
  });

  test('after a reboot the marks are there and the mount is not: it is made again', async () => {
    await manager.setUp(podWith(all.slice(1, 2)), signal);
    await unmount(at('secret'));
    expect(await readdir(at('secret'))).toEqual([]);
    await managerOn().setUp(podWith(all.slice(1, 2)), signal);
    expect(mountAt(await readMounts(), at('secret'))?.type).toBe('tmpfs');
  });

  test('folders for what is mounted below', async () => {
    const pod = podWith(all.slice(0, 1));
    pod.spec.containers[0]?.volumeMounts?.push({ name: 'x', mountPath: '/config/sub/x' });
    pod.spec.volumes?.push({ name: 'x', secret: { secretName: 's' } });
    await manager.setUp(pod, signal);
    await manager.refresh(pod, signal);
    expect((await stat(at('config', 'sub/x'))).isDirectory()).toBe(true);
  });
});

describe('renewal', () => {
  test('only what has changed is written', async () => {
    await manager.setUp(podWith(all), signal);
    const before = await Promise.all(
      (Object.keys(KINDS) as (keyof typeof KINDS)[]).map((volume) => readlink(at(volume, '..data'))),
    );
    objects.secrets.set('ns/s', { password: 'CANARY-two', more: 'x' });
    await managerOn().refresh(podWith(all), signal);
    expect(await text('secret', 'password')).toBe('CANARY-two');
    expect((await readdir(at('secret'))).sort().slice(1)).toEqual(['..data', 'more', 'password']);
    const after = await Promise.all(
      (Object.keys(KINDS) as (keyof typeof KINDS)[]).map((volume) => readlink(at(volume, '..data'))),
    );
    expect(after.map((link, index) => link === before[index])).toEqual([true, false, true, true]);
  });

  test('labels, tokens', async () => {
    await manager.setUp(podWith(all), signal);
    token = 'CANARY-token-2';
    await manager.refresh(podWith(all, {}, { app: 'other' }), signal);
    expect(await text('down', 'labels')).toBe('app="other"');
    expect(await text('access', 'token')).toBe('CANARY-token-2');
  });

  test('an object that goes away takes nothing with it, and holds up no other volume', async () => {
    await manager.setUp(podWith(all), signal);
    objects.configMaps.delete('ns/cm');
    objects.secrets.set('ns/s', { password: 'CANARY-two' });
    await expect(manager.refresh(podWith(all), signal)).rejects.toThrow('configmap "cm" not found');
    expect(await text('config', 'app.conf')).toBe('one');
    expect(await text('secret', 'password')).toBe('CANARY-two');
  });

  test('an optional one that goes away leaves an empty volume', async () => {
    const pod = podWith([{ name: 'config', configMap: { name: 'cm', optional: true } }]);
    await manager.setUp(pod, signal);
    objects.configMaps.clear();
    await manager.refresh(pod, signal);
    expect((await readdir(at('config'))).filter((name) => !name.startsWith('..'))).toEqual([]);
  });

  test('what a subPath mount shows stays as it was, until it is mounted anew', async () => {
    await manager.setUp(podWith(all), signal);
    const wish = {
      podUid: 'u-1',
      volume: 'config',
      volumePath: at('config'),
      subPath: 'app.conf',
      container: 'c',
      index: 0,
      signal,
    };
    const mounted = await prepareSubPath(root, wish);
    objects.configMaps.set('ns/cm', { data: { 'app.conf': 'two' } });
    await manager.refresh(podWith(all), signal);
    expect(await readFile(mounted, 'utf8')).toBe('one');
    expect(await text('config', 'app.conf')).toBe('two');
    expect(await readFile(await prepareSubPath(root, wish), 'utf8')).toBe('two');
  });
});

test('secrets never reach the disk: what lies below the mounts is empty', async () => {
  await manager.setUp(podWith(all), signal);
  for (const { mountPoint } of mountsBelow(await readMounts(), root)) await unmount(mountPoint);
  for (const volume of ['secret', 'down', 'access'] as const) expect(await readdir(at(volume))).toEqual([]);
});

test('an agent killed anywhere while it renews leaves one whole version, and the next goes on', async () => {
  const child = fileURLToPath(new URL('content-churn.ts', import.meta.url));
  for (let round = 0; round < 12; round++) {
    const agent = spawn(process.execPath, [child, root], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(agent.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 20 + round * 17));
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    for (const volume of ['config', 'secret'] as const) {
      const names = await readdir(at(volume, '..data')).catch(() => []);
      const values = new Set(await Promise.all(names.map((name) => text(volume, `..data/${name}`))));
      expect(values.size).toBeLessThanOrEqual(1);
    }
    contentOf(objects, 1_000_000 + round);
    await managerOn().setUp(churnPod, signal);
    const wanted = Object.keys(objects.configMaps.get('ns/cm')?.data ?? {}).sort();
    for (const volume of ['config', 'secret'] as const) {
      const names = await readdir(at(volume));
      expect(names.filter((name) => !name.startsWith('..')).sort()).toEqual(wanted);
      expect(names.filter((name) => name.startsWith('..'))).toHaveLength(2);
      expect(await text(volume, 'a')).toBe(String(1_000_000 + round));
    }
    if (round % 3 === 2) {
      await managerOn().tearDown('u-1', signal);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await managerOn().tearDown('u-1', signal);
      expect(mountsBelow(await readMounts(), root)).toEqual([]);
      expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
    }
  }
  await chmod(root, 0o700);
});

/** Claims on local PersistentVolumes, with real mounts, in the mount namespace that the tests run in. */
import { mkdir, mkdtemp, open, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { mountAt, mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import { run } from '#host/process.ts';
import type { Resource } from '#lib/kube/client.ts';
import type { AgentPod, PersistentVolume } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { claimPlugins } from '#volumes/claims/claim-volume.ts';
import { hostPathKind } from '#volumes/sources/host-path.ts';
import { LocalKind } from '#volumes/sources/local.ts';
import { PodVolumeManager } from '#volumes/pod-volumes.ts';

const signal = new AbortController().signal;
let root: string;
let data: string;
let spec: PersistentVolume['spec'];

const managerOn = (): PodVolumeManager => {
  const events = { event: () => undefined };
  const get = ({ plural }: Resource): Promise<never> =>
    Promise.resolve(
      (plural === 'persistentvolumes'
        ? { metadata: { name: 'pv-1', annotations: { 'pv.beta.kubernetes.io/gid': '99' } }, spec }
        : { metadata: { uid: 'c-1' }, spec: { volumeName: 'pv-1' }, status: { phase: 'Bound' } }) as never,
    );
  const options = { root, clock: systemClock, logger: silentLogger, events };
  return new PodVolumeManager({
    ...options,
    plugins: claimPlugins({
      root,
      claims: { client: { get }, matchesNode: () => true },
      kinds: [new LocalKind(options), hostPathKind],
    }),
  });
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nodelet claims-'));
  data = await mkdtemp(join(tmpdir(), 'data-'));
  await writeFile(join(data, 'kept'), 'precious');
  spec = { claimRef: { uid: 'c-1' }, local: { path: data } };
});
afterEach(async () => {
  for (const { mountPoint } of mountsBelow(await readMounts(), root))
    await unmount(mountPoint, { detach: true });
  for (const path of [root, data]) await rm(path, { recursive: true, force: true });
});

function podWith(uid = 'u-1', more: Partial<AgentPod['spec']> = {}, readOnly = false): AgentPod {
  return {
    metadata: { name: 'p', namespace: 'default', uid },
    spec: {
      containers: [{ name: 'c', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data', readOnly } }],
      ...more,
    },
  };
}
const folderOf = (uid: string): string => join(root, 'pods', uid, 'volumes/kubernetes.io~local-volume/pv-1');
const mountsHere = async (): Promise<string[]> =>
  mountsBelow(await readMounts(), root).map(({ mountPoint }) => mountPoint);

describe('a local folder', () => {
  test('is mounted once, found again by the next process, and never emptied', async () => {
    const ready = await managerOn().setUp(podWith(), signal);
    expect(ready.get('v')).toMatchObject({ hostPath: folderOf('u-1'), readOnly: false, groups: [99] });
    await writeFile(join(folderOf('u-1'), 'new'), 'x');
    await managerOn().setUp(podWith(), signal);
    expect(await mountsHere()).toEqual([folderOf('u-1')]);
    await managerOn().tearDown('u-1', signal);
    expect(await mountsHere()).toEqual([]);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
    expect(await readdir(data)).toEqual(['kept', 'new']);
  });

  test('a call that was cut off before its mark is begun anew', async () => {
    await managerOn().setUp(podWith(), signal);
    await rm(join(root, 'pods/u-1/plugins'), { recursive: true });
    await managerOn().setUp(podWith('u-1', {}, true), signal);
    expect(await mountsHere()).toEqual([folderOf('u-1')]);
    expect(mountAt(await readMounts(), folderOf('u-1'))?.options).toContain('ro');
    await expect(writeFile(join(folderOf('u-1'), 'new'), 'x')).rejects.toThrow('EROFS');
  });

  test('goes to the pod’s group, once', async () => {
    const pod = podWith('u-1', { securityContext: { fsGroup: 77, fsGroupChangePolicy: 'OnRootMismatch' } });
    await managerOn().setUp(pod, signal);
    const kept = await stat(join(data, 'kept'));
    expect([kept.gid, kept.mode & 0o777]).toEqual([77, 0o664]);
    expect((await stat(data)).mode & 0o2070).toBe(0o2070);
    await rm(join(root, 'pods/u-1/plugins'), { recursive: true });
    await writeFile(join(data, 'later'), '');
    await run('chgrp', ['5', join(data, 'later')]);
    await managerOn().setUp(pod, signal);
    expect((await stat(join(data, 'later'))).gid).toBe(5);
  });

  test('ReadWriteOncePod: one pod at a time, also after a restart', async () => {
    spec = { ...spec, accessModes: ['ReadWriteOncePod'] };
    await managerOn().setUp(podWith(), signal);
    const next = managerOn();
    await expect(next.setUp(podWith('u-2'), signal)).rejects.toThrow('already in use by another pod');
    await next.setUp(podWith(), signal);
    await next.tearDown('u-1', signal);
    await next.setUp(podWith('u-2'), signal);
  });

  test('what isn’t there is said', async () => {
    spec = { ...spec, local: { path: join(data, 'none') } };
    await expect(managerOn().setUp(podWith(), signal)).rejects.toThrow('nothing is there');
  });
});

const hasLoops = await stat('/dev/loop-control').then(
  () => true,
  () => false,
);

describe.runIf(hasLoops)('a local device', () => {
  let device: string;
  beforeEach(async () => {
    const image = join(data, 'image');
    const file = await open(image, 'w');
    await file.truncate(16 << 20);
    await file.close();
    device = (await run('losetup', ['-f', '--show', image])).stdout.trim();
    spec = { claimRef: { uid: 'c-1' }, local: { path: device } };
  });
  afterEach(async () => {
    for (const { mountPoint } of mountsBelow(await readMounts(), root))
      await unmount(mountPoint, { detach: true });
    await run('losetup', ['-d', device]);
  });
  const untilUnmounted = async (): Promise<void> => {
    const deadline = Date.now() + 5000;
    while ((await mountsHere()).length > 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };

  test('gets a file system once, serves pods side by side, and is let go after the last', async () => {
    const global = join(root, 'plugins/kubernetes.io/local-volume/mounts/pv-1');
    const manager = managerOn();
    await manager.setUp(podWith('u-1'), signal);
    await writeFile(join(folderOf('u-1'), 'file'), 'shared');
    await manager.setUp(podWith('u-2'), signal);
    expect(await readFile(join(folderOf('u-2'), 'file'), 'utf8')).toBe('shared');
    expect((await mountsHere()).sort()).toEqual([global, folderOf('u-1'), folderOf('u-2')].sort());
    await manager.tearDown('u-1', signal);
    expect(await readFile(join(folderOf('u-2'), 'file'), 'utf8')).toBe('shared');
    await managerOn().tearDown('u-2', signal);
    await untilUnmounted();
    expect(await mountsHere()).toEqual([]);
    await managerOn().setUp(podWith('u-3'), signal);
    expect(await readFile(join(folderOf('u-3'), 'file'), 'utf8')).toBe('shared');
    await managerOn().tearDown('u-3', signal);
    await untilUnmounted();
  });

  test('something else on it is never formatted', async () => {
    await run('mkfs.ext4', ['-q', device]);
    spec = { ...spec, local: { path: device, fsType: 'ext2' } };
    await managerOn()
      .setUp(podWith(), signal)
      .catch(() => undefined);
    expect((await run('blkid', ['-p', '-s', 'TYPE', '-o', 'value', device])).stdout.trim()).toBe('ext4');
  });

  test('is given to the pod raw', async () => {
    spec = { ...spec, volumeMode: 'Block' };
    const pod = podWith('u-1', {
      containers: [{ name: 'c', volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] }],
    });
    const manager = managerOn();
    const ready = await manager.setUp(pod, signal);
    expect(ready.get('v')).toMatchObject({ hostPath: device, isDevice: true });
    const link = join(root, 'pods/u-1/volumeDevices/kubernetes.io~local-volume/pv-1');
    expect(await readlink(link)).toBe(device);
    await manager.tearDown('u-1', signal);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
  });
});

test('a hostPath PersistentVolume is the path itself, and stays', async () => {
  spec = { claimRef: { uid: 'c-1' }, hostPath: { path: join(data, 'made'), type: 'DirectoryOrCreate' } };
  await mkdir(join(root, 'pods/u-1'), { recursive: true });
  const ready = await managerOn().setUp(podWith('u-1', {}, true), signal);
  expect(ready.get('v')).toMatchObject({ hostPath: join(data, 'made'), readOnly: true });
  await managerOn().tearDown('u-1', signal);
  expect(await readdir(data)).toEqual(['kept', 'made']);
});

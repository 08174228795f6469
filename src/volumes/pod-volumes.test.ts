import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import type { PodVolumes } from '#kubelet/pod/ports.ts';
import type { AgentPod, PodSpec, Volume } from '#lib/kube/types.ts';
import { isRetryable } from '#lib/errors.ts';
import { silentLogger } from '#lib/logger.ts';
import { tmpfsKnowsNoswap } from './empty-dir.ts';
import { VolumeError } from './errors.ts';
import { localPlugins } from './plugins.ts';
import { PodVolumeManager } from './pod-volumes.ts';

const signal = new AbortController().signal;
let root: string;
let manager: PodVolumeManager;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'volumes-'));
  manager = managerOn();
});
afterEach(() => rm(root, { recursive: true, force: true }));

const managerOn = (): PodVolumeManager =>
  new PodVolumeManager({
    root,
    plugins: localPlugins({ allocatableMemoryBytes: () => 2 ** 30, noswap: false }),
    clock: systemClock,
    logger: silentLogger,
  });

function podWith(volumes: Volume[], more: Partial<PodSpec> = {}): AgentPod {
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  return {
    metadata: { name: 'p', namespace: 'default', uid: 'u-1' },
    spec: { containers: [{ name: 'c', volumeMounts }], volumes, ...more },
  };
}

const emptyDir = (sub = ''): string => join(root, 'pods/u-1/volumes/kubernetes.io~empty-dir', sub);
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);
const refusal = async (pod: AgentPod): Promise<VolumeError> => {
  const error: unknown = await manager.setUp(pod, signal).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(VolumeError);
  return error as VolumeError;
};

describe('emptyDir', () => {
  const pod = podWith([{ name: 'scratch', emptyDir: {} }]);

  test('is a folder open to all, whatever the umask; the folders above are not', async () => {
    const before = process.umask(0);
    try {
      const port: PodVolumes = manager;
      const volumes = await port.setUp(pod, signal);
      expect([...volumes]).toEqual([
        ['scratch', { hostPath: emptyDir('scratch'), readOnly: false, selinuxRelabel: true }],
      ]);
      process.umask(0o077);
      await manager.setUp(podWith([{ name: 'other', emptyDir: {} }]), signal);
    } finally {
      process.umask(before);
    }
    expect(await modeOf(emptyDir('scratch'))).toBe('777');
    expect(await modeOf(emptyDir('other'))).toBe('777');
    expect(await modeOf(emptyDir())).toBe('750');
  });

  test('what the pod made of it stays, contents, mode and owner', async () => {
    await manager.setUp(pod, signal);
    await writeFile(emptyDir('scratch/data'), 'kept');
    await chmod(emptyDir('scratch'), 0o700);
    await chown(emptyDir('scratch'), 999, 999);
    await managerOn().setUp(pod, signal);
    expect(await modeOf(emptyDir('scratch'))).toBe('700');
    expect((await stat(emptyDir('scratch'))).uid).toBe(999);
    expect(await readFile(emptyDir('scratch/data'), 'utf8')).toBe('kept');
  });

  test('one that was left half-made is finished', async () => {
    await mkdir(emptyDir('scratch'), { recursive: true, mode: 0o700 });
    await manager.setUp(
      podWith([{ name: 'scratch', emptyDir: {} }], { securityContext: { fsGroup: 4000 } }),
      signal,
    );
    expect(await modeOf(emptyDir('scratch'))).toBe('2777');
    expect((await stat(emptyDir('scratch'))).gid).toBe(4000);
  });

  test('one whose folder was deleted is made again', async () => {
    await manager.setUp(pod, signal);
    await rm(emptyDir('scratch'), { recursive: true });
    await manager.setUp(pod, signal);
    expect(await modeOf(emptyDir('scratch'))).toBe('777');
  });

  test('a volume without a source, or with an empty one, is an emptyDir', async () => {
    const blank = { name: 'b', emptyDir: null } as unknown as Volume;
    const volumes = await manager.setUp(podWith([{ name: 'a' }, blank]), signal);
    expect([...volumes.keys()]).toEqual(['a', 'b']);
    expect((await readdir(emptyDir())).sort()).toEqual(['a', 'b']);
  });

  test.each([
    ['HugePages', /not supported yet/],
    ['HugePages-2Mi', /not supported yet/],
    ['Disk', /does not exist/],
  ])('medium %s is refused', async (medium, words) => {
    const error = await refusal(podWith([{ name: 'v', emptyDir: { medium } }]));
    expect(error.message).toMatch(/"v"/);
    expect(error.message).toMatch(words);
    expect(isRetryable(error)).toBe(false);
  });

  test('noswap needs Linux 6.4', async () => {
    expect(await tmpfsKnowsNoswap('6.3.9-generic')).toBe(false);
    expect(await tmpfsKnowsNoswap('5.15.0')).toBe(false);
  });
});

describe('hostPath', () => {
  const podAt = (path: string, type?: string): AgentPod =>
    podWith([
      {
        name: 'h',
        hostPath: {
          path: path.startsWith('/') ? path : join(root, path),
          ...(type === undefined ? {} : { type }),
        },
      },
    ]);

  beforeEach(async () => {
    await mkdir(join(root, 'dir'));
    await writeFile(join(root, 'file'), 'x');
    await symlink('dir', join(root, 'link'));
  });

  test.each([
    ['none', undefined],
    ['none', ''],
    ['dir', 'Directory'],
    ['link', 'Directory'],
    ['dir', 'DirectoryOrCreate'],
    ['file', 'File'],
    ['file', 'FileOrCreate'],
    ['/dev/null', 'CharDevice'],
  ])('%s as %s is accepted and left as it is', async (path, type) => {
    const volumes = await manager.setUp(podAt(path, type), signal);
    expect(volumes.get('h')).toEqual({
      hostPath: path.startsWith('/') ? path : join(root, path),
      readOnly: false,
      selinuxRelabel: false,
    });
    expect((await readdir(root)).sort()).toEqual(['dir', 'file', 'link']);
  });

  test.each([
    ['file', 'Directory', /wants a directory, but found a file/],
    ['file', 'DirectoryOrCreate', /wants a directory, but found a file/],
    ['none', 'Directory', /nothing is there/],
    ['dir', 'File', /wants a file, but found a directory/],
    ['dir', 'FileOrCreate', /wants a file, but found a directory/],
    ['none/below', 'FileOrCreate', /can't be made/],
    ['dir', 'Socket', /wants a socket/],
    ['file', 'CharDevice', /wants a character device/],
    ['/dev/null', 'BlockDevice', /found a character device/],
    ['dir', 'Folder', /type "Folder" does not exist/],
    ['/a/../b', '', /must not contain/],
  ])('%s as %s is refused', async (path, type, words) => {
    const error = await refusal(podAt(path, type));
    expect(error.message).toMatch(words);
    expect(error.volume).toBe('h');
  });

  test('missing ones are made with their modes, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      await manager.setUp(podAt('new/folder', 'DirectoryOrCreate'), signal);
      await manager.setUp(podAt('new.file', 'FileOrCreate'), signal);
    } finally {
      process.umask(before);
    }
    expect(await modeOf(join(root, 'new/folder'))).toBe('755');
    expect(await modeOf(join(root, 'new.file'))).toBe('644');
    expect(await readFile(join(root, 'new.file'), 'utf8')).toBe('');
  });

  test('a socket', async () => {
    const server = createServer().listen(join(root, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    expect((await manager.setUp(podAt('socket', 'Socket'), signal)).size).toBe(1);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('the manager', () => {
  test('a kind that isn’t supported is named, with those that are', async () => {
    const error = await refusal(podWith([{ name: 'web', future: {} } as Volume]));
    expect(error.message).toBe(
      'volume "web": kind future is not supported here; supported are emptyDir, hostPath, nfs',
    );
    expect(isRetryable(error)).toBe(false);
  });

  test.each<[Partial<Volume>, string]>([
    [{ gitRepo: { repository: 'r' } }, 'git-repo volume plugin has been disabled'],
    [{ iscsi: { iqn: '', lun: 0, targetPortal: '' } }, 'use a CSI driver for iSCSI'],
    [{ cephfs: { monitors: [] } }, 'no volume plugin matched: kind cephfs was removed'],
    [{ awsElasticBlockStore: { volumeID: 'vol-1' } }, 'is served by the CSI driver ebs.csi.aws.com'],
  ])('%j is refused in words of its own', async (source, words) => {
    const error = await refusal(podWith([{ name: 'v', ...source }]));
    expect(error.problem).toContain(words);
    expect(isRetryable(error)).toBe(false);
  });

  test('two sources, and a mount of a volume that doesn’t exist', async () => {
    expect((await refusal(podWith([{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }]))).message).toMatch(
      /more than one/,
    );
    expect(
      (
        await refusal({
          ...podWith([]),
          spec: { containers: [{ name: 'c', volumeMounts: [{ name: 'x', mountPath: '/x' }] }] },
        })
      ).message,
    ).toMatch(/no volume of that name/);
  });

  test('volumes that no container mounts are not set up', async () => {
    const pod = podWith([], { volumes: [{ name: 'unused', nfs: { server: 's', path: '/' } }] });
    expect((await manager.setUp(pod, signal)).size).toBe(0);
  });

  test('init containers’ volumes are set up, too', async () => {
    const pod = podWith([{ name: 'v', emptyDir: {} }], {
      containers: [{ name: 'c' }],
      initContainers: [{ name: 'i', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
    });
    expect([...(await manager.setUp(pod, signal)).keys()]).toEqual(['v']);
  });

  test.each(['../x', 'a/b', '..', ''])('the volume name %j can’t leave the pod’s folder', async (name) => {
    await expect(manager.setUp(podWith([{ name, emptyDir: {} }]), signal)).rejects.toThrow(VolumeError);
  });

  test('tearDown removes contents, follows no link, and leaves the pod’s other folders', async () => {
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    await manager.setUp(pod, signal);
    await mkdir(join(root, 'precious'));
    await writeFile(join(root, 'precious/data'), 'kept');
    await symlink(join(root, 'precious'), emptyDir('v/link'));
    await writeFile(emptyDir('v/file'), 'x');
    await mkdir(join(root, 'pods/u-1/containers/c'), { recursive: true });
    expect(await manager.list()).toEqual(['u-1']);
    await managerOn().tearDown('u-1', signal);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual(['containers']);
    expect(await readFile(join(root, 'precious/data'), 'utf8')).toBe('kept');
    await manager.tearDown('u-1', signal);
    await manager.tearDown('never-was', signal);
    expect(await manager.list()).toEqual(['u-1']);
  });

  test('data in a folder of a kind that doesn’t own it is never deleted', async () => {
    const folder = join(root, 'pods/u-1/volumes/kubernetes.io~csi/pv/mount');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'database'), 'precious');
    const error: unknown = await manager.tearDown('u-1', signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(VolumeError);
    expect(String(error)).toContain(join(folder, 'database'));
    expect(await readFile(join(folder, 'database'), 'utf8')).toBe('precious');
    await rm(join(folder, 'database'));
    await manager.tearDown('u-1', signal);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
  });

  test('an aborted signal ends both', async () => {
    const aborted = AbortSignal.abort(new Error('stop'));
    await manager.setUp(podWith([{ name: 'v', emptyDir: {} }]), signal);
    await expect(manager.setUp(podWith([{ name: 'v', emptyDir: {} }]), aborted)).rejects.toThrow('stop');
    await expect(manager.tearDown('u-1', aborted)).rejects.toThrow('stop');
  });
});

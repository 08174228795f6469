/** Volumes with real mounts, in the mount namespace that the tests run in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import { bindMount, mountAt, mountTmpfs, mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import { removeTree } from '#host/trees.ts';
import type { AgentPod, Volume } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { tmpfsKnowsNoswap } from '#volumes/empty-dir.ts';
import { VolumeError } from '#volumes/errors.ts';
import { localPlugins } from '#volumes/plugins.ts';
import { PodVolumeManager } from '#volumes/pod-volumes.ts';
import { ensureRshared } from '#volumes/shared-root.ts';
import { prepareSubPath } from '#volumes/sub-path.ts';
import type { SubPathRequest } from '#volumes/sub-path.ts';

const signal = new AbortController().signal;
const MI = 2 ** 20;
const noswap = await tmpfsKnowsNoswap();
let root: string;
let manager: PodVolumeManager;

const managerOn = (): PodVolumeManager =>
  new PodVolumeManager({
    root,
    plugins: localPlugins({ allocatableMemoryBytes: () => 64 * MI, noswap }),
    clock: systemClock,
    logger: silentLogger,
  });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nodelet volumes-'));
  manager = managerOn();
});
afterEach(async () => {
  for (const { mountPoint } of mountsBelow(await readMounts(), root))
    await unmount(mountPoint, { detach: true });
  await rm(root, { recursive: true, force: true });
});

function podWith(volumes: Volume[], limits: Record<string, string> = {}): AgentPod {
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  return {
    metadata: { name: 'p', namespace: 'default', uid: 'u-1' },
    spec: { containers: [{ name: 'c', volumeMounts, resources: { limits } }], volumes },
  };
}

const memory = (name: string, sizeLimit?: string): Volume => ({
  name,
  emptyDir: { medium: 'Memory', ...(sizeLimit === undefined ? {} : { sizeLimit }) },
});
const emptyDir = (sub = ''): string => join(root, 'pods/u-1/volumes/kubernetes.io~empty-dir', sub);
const sizeOf = async (path: string): Promise<number> => {
  const { blocks, bsize } = await statfs(path);
  return blocks * bsize;
};
const mountsHere = async (): Promise<string[]> =>
  mountsBelow(await readMounts(), root).map(({ mountPoint }) => mountPoint);

describe('emptyDir in memory', () => {
  test.each<[string, string | undefined, Record<string, string>, number]>([
    ['the node’s allocatable memory', undefined, {}, 64],
    ['the pod’s memory limit', undefined, { memory: '32Mi' }, 32],
    ['its own size limit', '8Mi', { memory: '32Mi' }, 8],
    ['not a larger one of its own', '48Mi', { memory: '32Mi' }, 32],
  ])('is a tmpfs of %s', async (_, sizeLimit, limits, megabytes) => {
    await manager.setUp(podWith([memory('m', sizeLimit)], limits), signal);
    const mount = mountAt(await readMounts(), emptyDir('m'));
    expect(mount?.type).toBe('tmpfs');
    expect(await sizeOf(emptyDir('m'))).toBe(megabytes * MI);
    expect((await stat(emptyDir('m'))).mode & 0o777).toBe(0o777);
    if (noswap) expect(mount?.superOptions).toContain('noswap');
    await manager.tearDown('u-1', signal);
    expect(await mountsHere()).toEqual([]);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
  });

  test('setting up again keeps the mount and the data, by a new agent too', async () => {
    const pod = podWith([memory('m')]);
    await manager.setUp(pod, signal);
    await writeFile(emptyDir('m/data'), 'kept');
    await managerOn().setUp(pod, signal);
    expect(await readFile(emptyDir('m/data'), 'utf8')).toBe('kept');
    expect(await mountsHere()).toEqual([emptyDir('m')]);
  });

  test('a mount that an agent made before it was killed is taken over, and finished', async () => {
    await mkdir(emptyDir('m'), { recursive: true });
    await mountTmpfs(emptyDir('m'), ['size=1m']);
    const pod = podWith([memory('m')]);
    pod.spec.securityContext = { fsGroup: 77 };
    await manager.setUp(pod, signal);
    expect(await mountsHere()).toEqual([emptyDir('m')]);
    expect((await stat(emptyDir('m'))).gid).toBe(77);
  });

  test('after a reboot the marker is there and the mount is not: it is mounted again', async () => {
    const pod = podWith([memory('m')]);
    await manager.setUp(pod, signal);
    await unmount(emptyDir('m'));
    await manager.setUp(pod, signal);
    expect(await mountsHere()).toEqual([emptyDir('m')]);
  });
});

describe('taking down', () => {
  test('goes by the mount table: stacked and nested mounts, odd names, a spec nobody knows', async () => {
    await manager.setUp(podWith([memory('m'), { name: 'd', emptyDir: {} }]), signal);
    await mountTmpfs(emptyDir('m'), []);
    await mkdir(emptyDir('d/with space\n'));
    await mountTmpfs(emptyDir('d/with space\n'), []);
    await mkdir(emptyDir('d/with space\n/deeper'));
    await mountTmpfs(emptyDir('d/with space\n/deeper'), []);
    await managerOn().tearDown('u-1', signal);
    expect(await mountsHere()).toEqual([]);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
  });

  test('what is bound into a volume is unmounted, never emptied', async () => {
    await manager.setUp(podWith([{ name: 'd', emptyDir: {} }]), signal);
    await mkdir(join(root, 'precious'));
    await writeFile(join(root, 'precious/data'), 'kept');
    await mkdir(emptyDir('d/bound'));
    await bindMount(join(root, 'precious'), emptyDir('d/bound'));
    await writeFile(emptyDir('d/file'), '');
    await bindMount(join(root, 'precious/data'), emptyDir('d/file'));
    await manager.tearDown('u-1', signal);
    expect(await readFile(join(root, 'precious/data'), 'utf8')).toBe('kept');
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
  });

  test('removeTree itself stops at mounts, of the same filesystem too, and names them', async () => {
    await mkdir(join(root, 'precious'));
    await writeFile(join(root, 'precious/data'), 'kept');
    await mkdir(join(root, 'tree/bound'), { recursive: true });
    await bindMount(join(root, 'precious'), join(root, 'tree/bound'));
    expect(await removeTree(join(root, 'tree'))).toEqual([{ path: join(root, 'tree/bound'), code: 'EBUSY' }]);
    expect(await readFile(join(root, 'precious/data'), 'utf8')).toBe('kept');
    await unmount(join(root, 'tree/bound'));
  });

  test('a mount in use is named and tried again, and goes once it is free', async () => {
    await manager.setUp(podWith([memory('m')]), signal);
    const user = spawn('sleep', ['60'], { cwd: emptyDir('m'), stdio: 'ignore' });
    await once(user, 'spawn');
    const error: unknown = await manager.tearDown('u-1', signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(VolumeError);
    expect(String(error)).toContain(emptyDir('m'));
    user.kill('SIGKILL');
    await once(user, 'exit');
    await manager.tearDown('u-1', signal);
    expect(await mountsHere()).toEqual([]);
  });

  test('unmount of what isn’t mounted says so', async () => {
    await mkdir(join(root, 'plain'));
    expect(await unmount(join(root, 'plain'))).toBe(false);
    expect(await unmount(join(root, 'none'))).toBe(false);
  });
});

describe('subPath', () => {
  const request = (subPath: string, more: Partial<SubPathRequest> = {}): SubPathRequest => ({
    podUid: 'u-1',
    volume: 'd',
    volumePath: emptyDir('d'),
    subPath,
    container: 'c',
    index: 0,
    signal,
    ...more,
  });
  const target = (index = 0): string => join(root, `pods/u-1/volume-subpaths/d/c/${index}`);

  beforeEach(async () => {
    await manager.setUp(podWith([{ name: 'd', emptyDir: {} }]), signal);
  });

  test('a folder and a file are bound; missing folders get the volume’s mode', async () => {
    await mkdir(emptyDir('d/sub'));
    await writeFile(emptyDir('d/sub/file'), 'text');
    expect(await prepareSubPath(root, request('sub'))).toBe(target());
    expect(await readdir(target())).toEqual(['file']);
    expect(await prepareSubPath(root, request('sub/file', { index: 1 }))).toBe(target(1));
    expect(await readFile(target(1), 'utf8')).toBe('text');
    await prepareSubPath(root, request('made/here', { index: 2 }));
    expect((await stat(emptyDir('d/made/here'))).mode & 0o7777).toBe(0o777);
    expect((await mountsHere()).length).toBe(3);
    await manager.tearDown('u-1', signal);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
  });

  test('is idempotent, follows a replaced source, and changes its kind', async () => {
    await prepareSubPath(root, request('a'));
    await prepareSubPath(root, request('a'));
    expect((await mountsHere()).length).toBe(1);
    await rm(emptyDir('d/a'), { recursive: true });
    await writeFile(emptyDir('d/a'), 'now a file');
    await prepareSubPath(root, request('a'));
    expect((await mountsHere()).length).toBe(1);
    expect(await readFile(target(), 'utf8')).toBe('now a file');
  });

  test.each(['/etc', '../x', 'a/../../x'])('%s is refused', async (subPath) => {
    await expect(prepareSubPath(root, request(subPath))).rejects.toThrow(VolumeError);
    expect(await mountsHere()).toEqual([]);
  });

  test.each(['/etc', '../../../../../precious', '..'])(
    'a link to %s in any component is refused',
    async (where) => {
      await symlink(where, emptyDir('d/link'));
      await expect(prepareSubPath(root, request('link'))).rejects.toThrow(VolumeError);
      await expect(prepareSubPath(root, request('link/passwd'))).rejects.toThrow(VolumeError);
      expect(await mountsHere()).toEqual([]);
    },
  );

  test('works on a file below a hostPath, and through links inside the volume', async () => {
    await mkdir(join(root, 'host/..data'), { recursive: true });
    await writeFile(join(root, 'host/..data/key'), 'value');
    await symlink('..data/key', join(root, 'host/key'));
    await prepareSubPath(root, request('key', { volumePath: join(root, 'host') }));
    expect(await readFile(target(), 'utf8')).toBe('value');
    await manager.tearDown('u-1', signal);
    expect(await readFile(join(root, 'host/key'), 'utf8')).toBe('value');
  });

  test('a container that exchanges the folder for a link meanwhile gains nothing', async () => {
    await mkdir(join(root, 'outside'));
    await writeFile(join(root, 'outside/secret'), '');
    await mkdir(emptyDir('d/spot'));
    const attack = { goesOn: true };
    const attacker = (async () => {
      while (attack.goesOn) {
        try {
          await rename(emptyDir('d/spot'), emptyDir('d/aside'));
          await symlink(join(root, 'outside'), emptyDir('d/spot'));
          await unlink(emptyDir('d/spot'));
          await rename(emptyDir('d/aside'), emptyDir('d/spot'));
        } catch {
          // The agent has made the missing folder meanwhile: begin again.
          for (const name of ['d/spot', 'd/aside'])
            await rm(emptyDir(name), { recursive: true, force: true });
          await mkdir(emptyDir('d/spot'), { recursive: true });
        }
      }
    })();
    let mounted = 0;
    for (let i = 0; i < 60; i++) {
      const path = await prepareSubPath(root, request('spot', { index: i })).catch(() => undefined);
      if (path === undefined) continue;
      mounted++;
      expect(await readdir(path)).toEqual([]);
    }
    attack.goesOn = false;
    await attacker;
    expect(mounted).toBeGreaterThan(0);
  });
});

test('an agent killed anywhere while it sets up and takes down leaves nothing that the next can’t mend', async () => {
  const child = fileURLToPath(new URL('churn.ts', import.meta.url));
  const volumes = [memory('m'), { name: 'd', emptyDir: {} }, memory('n', '1Mi')];
  for (let round = 0; round < 12; round++) {
    const agent = spawn(process.execPath, [child, root], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(agent.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 10 + round * 9));
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    const ready = await managerOn().setUp(podWith(volumes), signal);
    expect([...ready.keys()]).toEqual(['m', 'd', 'n']);
    for (const { hostPath } of ready.values()) {
      await writeFile(join(hostPath, 'usable'), 'x');
      await chmod(hostPath, 0o700);
    }
    await managerOn().tearDown('u-1', signal);
    // A mount program that the killed agent had started may end after it.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await managerOn().tearDown('u-1', signal);
    expect(await mountsHere()).toEqual([]);
    expect(await readdir(join(root, 'pods/u-1'))).toEqual([]);
  }
});

test('the root becomes rshared once, also after an interruption between the two steps', async () => {
  const other = join(root, 'agent');
  await mkdir(other);
  await bindMount(other, other);
  expect(await ensureRshared(other, signal)).toBe(true);
  expect(await ensureRshared(other, signal)).toBe(false);
  expect((await mountsHere()).filter((path) => path === other)).toHaveLength(1);
  expect(mountAt(await readMounts(), other)?.optionalFields.join(' ')).toMatch(/shared:/);
  const fresh = join(root, 'fresh');
  await ensureRshared(fresh, signal);
  await ensureRshared(fresh, signal);
  expect((await mountsHere()).filter((path) => path === fresh)).toHaveLength(1);
  expect((await stat(fresh)).mode & 0o7777).toBe(0o750);
});

import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mountTable } from '#test/bed/inventory.ts';
import { container, hasPhase, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode();
const never = { restartPolicy: 'Never' };
const at = (mountPath: string, name = 'v', more = {}) => ({ volumeMounts: [{ name, mountPath, ...more }] });
const folder = async (name: string): Promise<string> => {
  const path = join(node.agent.dir, 'host', name);
  await mkdir(path, { recursive: true });
  return path;
};
const volumesOf = (uid: string | undefined): string => join(node.agent.rootDir, 'pods', uid ?? '', 'volumes');

describe.concurrent('emptyDir', () => {
  test('is shared by containers, kept over a restart of one, and gone with the pod', async () => {
    const writer = `echo run >>/data/runs; [ $(wc -l </data/runs) -ge 2 ] || exit 1; ${untilTerm}`;
    await node.agent.write(
      'shared.yaml',
      podManifest(
        'shared',
        [container('writer', writer, at('/data')), container('reader', untilTerm, at('/seen'))],
        {
          volumes: [{ name: 'v', emptyDir: {} }],
        },
      ),
    );
    const view = await node.agent.waitForPod(
      'shared',
      (each) => isRunning(each) && statusOf(each, 'writer')?.restartCount === 1,
    );
    const seen = await node.agent.cli('exec', 'shared', '-c', 'reader', '--', 'cat', '/seen/runs');
    expect(seen.stdout).toBe('run\nrun\n');
    const path = join(volumesOf(view.pod.metadata?.uid), 'kubernetes.io~empty-dir/v');
    expect(await readFile(join(path, 'runs'), 'utf8')).toBe('run\nrun\n');
    expect(((await stat(path)).mode & 0o777).toString(8)).toBe('777');
    await node.agent.remove('shared.yaml');
    await node.agent.waitForGone('shared');
    expect(await readdir(join(node.agent.rootDir, 'pods'))).not.toContain(view.pod.metadata?.uid);
  });

  test('in memory is a tmpfs of its size, unmounted with the pod', async () => {
    const script = 'df -k /data | tail -n 1; stat -f -c %T /data';
    await node.agent.write(
      'memory.yaml',
      podManifest('memory', [container('main', `${script}; ${untilTerm}`, at('/data'))], {
        volumes: [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } }],
        securityContext: { fsGroup: 4321 },
      }),
    );
    const view = await node.agent.waitForPod('memory', isRunning);
    const { stdout } = await node.agent.waitFor(async () => {
      const logs = await node.agent.cli('logs', 'memory');
      return logs.stdout.includes('tmpfs\n') && logs;
    });
    expect(stdout).toMatch(/tmpfs\s+4096\s/);
    const path = join(volumesOf(view.pod.metadata?.uid), 'kubernetes.io~empty-dir/v');
    const mounted = async () =>
      (await mountTable()).filter(({ point }) => point === path).map(({ type }) => type);
    expect(await mounted()).toEqual(['tmpfs']);
    const { gid, mode } = await stat(path);
    expect([gid, (mode & 0o2777).toString(8)]).toEqual([4321, '2777']);
    await node.agent.remove('memory.yaml');
    await node.agent.waitForGone('memory');
    expect(await mounted()).toEqual([]);
  });

  test('subPath and readOnly', async () => {
    const script =
      'echo hidden >/all/outside; echo inside >/part/file; cat /ro/part/file; echo no >/ro/x || echo refused';
    const mounts = {
      volumeMounts: [
        { name: 'v', mountPath: '/all' },
        { name: 'v', mountPath: '/part', subPath: 'part' },
        { name: 'v', mountPath: '/ro', readOnly: true },
      ],
    };
    await node.agent.write(
      'sub.yaml',
      podManifest('sub', [container('main', `${script}; ls /part`, mounts)], {
        ...never,
        volumes: [{ name: 'v', emptyDir: {} }],
      }),
    );
    await node.agent.waitForPod('sub', hasPhase('Succeeded'));
    const { stdout } = await node.agent.cli('logs', 'sub');
    expect(stdout.split('\n').filter((line) => !line.startsWith('sh:'))).toEqual([
      'inside',
      'refused',
      'file',
      '',
    ]);
  });
});

describe.concurrent('hostPath', () => {
  test('each type takes what is there, or makes it, and the pod leaves it', async () => {
    const host = await folder('types');
    await mkdir(join(host, 'dir'));
    await writeFile(join(host, 'file'), 'from the node\n');
    const paths = [
      ['dir', 'Directory'],
      ['file', 'File'],
      ['new/dir', 'DirectoryOrCreate'],
      ['new-file', 'FileOrCreate'],
      ['dir', ''],
    ];
    const volumes = paths.map(([path, type = ''], index) => ({
      name: `v${index}`,
      hostPath: { path: join(host, path ?? ''), type },
    }));
    volumes.push({ name: 'v5', hostPath: { path: '/dev/null', type: 'CharDevice' } });
    const mounts = { volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/m/${name}` })) };
    const script =
      'cat /m/v1; echo made >/m/v2/made; echo written >/m/v3; echo gone >/m/v5; echo here >/m/v4/here; cat /m/v0/here';
    await node.agent.write(
      'types.yaml',
      podManifest('types', [container('main', script, mounts)], { ...never, volumes }),
    );
    await node.agent.waitForPod('types', hasPhase('Succeeded'));
    expect((await node.agent.cli('logs', 'types')).stdout).toBe('from the node\nhere\n');
    await node.agent.remove('types.yaml');
    await node.agent.waitForGone('types');
    expect(await readFile(join(host, 'new/dir/made'), 'utf8')).toBe('made\n');
    expect(await readFile(join(host, 'new-file'), 'utf8')).toBe('written\n');
  });

  test.each([
    ['Directory', 'nothing', /type Directory wants a directory, but nothing is there/],
    ['Directory', 'file', /type Directory wants a directory, but found a file/],
    ['File', 'dir', /type File wants a file, but found a directory/],
    ['Socket', 'file', /type Socket wants a socket, but found a file/],
    ['BlockDevice', 'nothing', /type BlockDevice wants a block device/],
  ])('type %s at a %s holds the pod up with FailedMount', async (type, what, message) => {
    const name = `bad-${type.toLowerCase()}-${what}`;
    const host = await folder(name);
    await mkdir(join(host, 'dir'));
    await writeFile(join(host, 'file'), '');
    await node.agent.write(
      `${name}.yaml`,
      podManifest(name, [container('main', untilTerm, at('/v'))], {
        volumes: [{ name: 'v', hostPath: { path: join(host, what), type } }],
      }),
    );
    const view = await node.agent.waitForPod(name, ({ waits }) =>
      waits.some(({ reason }) => reason === 'FailedMount'),
    );
    expect(view.pod.status?.phase).toBe('Pending');
    expect(statusOf(view)?.state?.waiting?.reason).toBe('ContainerCreating');
    const events = await node.agent.client.events({ namespace: 'default', name: `${name}-n1` });
    const event = events.find(({ reason }) => reason === 'FailedMount');
    expect(event?.type).toBe('Warning');
    expect(event?.message).toMatch(message);
  });

  test('what appears later lets the pod start', async () => {
    const host = await folder('later');
    await node.agent.write(
      'later.yaml',
      podManifest('later', [container('main', untilTerm, at('/v'))], {
        volumes: [{ name: 'v', hostPath: { path: join(host, 'dir'), type: 'Directory' } }],
      }),
    );
    await node.agent.waitForPod('later', ({ waits }) => waits.some(({ reason }) => reason === 'FailedMount'));
    await mkdir(join(host, 'dir'));
    const view = await node.agent.waitForPod('later', isRunning);
    expect(view.waits).toEqual([]);
  });
});

import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { container, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { appImage, appImages, useNode } from './node.ts';

const node = useNode({}, async () => ({ images: await appImages() }));
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

const sandboxOf = async (pod: string): Promise<string> => {
  const filter = `labels."io.kubernetes.pod.name"==${pod},labels."io.cri-containerd.kind"==sandbox`;
  return (await node.containerd.ctr('containers', 'list', '-q', filter)).trim();
};

const pidOf = async (id: string): Promise<number> => {
  const line = (await node.containerd.ctr('tasks', 'list')).split('\n').find((each) => each.startsWith(id));
  return Number(line?.trim().split(/\s+/)[1]);
};

describe.concurrent('the end of a pod', () => {
  test('TERM reaches the container, its handler runs, and nothing stays', async () => {
    const trace = await traces('term');
    const script =
      "trap 'echo term >>/trace/trace; sleep 0.5; echo done >>/trace/trace; exit 0' TERM; echo up >>/trace/trace; sleep 1000 & wait $!";
    await node.agent.write(
      'term.yaml',
      podManifest('term', [container('main', script, mount)], { volumes: trace.volumes }),
    );
    const view = await node.agent.waitForPod('term', isRunning);
    await node.agent.waitFor(async () => (await trace.read()).length > 0);
    await node.agent.remove('term.yaml');
    await node.agent.waitForPod('term', ({ terminating }) => terminating);
    await node.agent.waitForGone('term');
    expect(await trace.read()).toEqual(['up', 'term', 'done']);
    const uid = view.pod.metadata?.uid ?? '';
    expect(await readdir(join(node.agent.rootDir, 'pods'))).not.toContain(uid);
    expect(await readdir(node.agent.podLogs)).not.toContain(`default_term-n1_${uid}`);
    expect((await readdir(node.agent.containerLogs)).filter((name) => name.startsWith('term-n1_'))).toEqual(
      [],
    );
    expect(await sandboxOf('term-n1')).toBe('');
    const { cgroups, addresses } = await node.containerd.inventory();
    expect(cgroups.filter((path) => path.includes(uid))).toEqual([]);
    expect(addresses).not.toContain(view.pod.status?.podIP);
  });

  test('KILL comes when the grace period is over, not sooner', async () => {
    const trace = await traces('kill');
    const script = 'trap \'cut -d" " -f1 /proc/uptime >>/trace/trace\' TERM; while :; do sleep 0.1; done';
    await node.agent.write(
      'kill.yaml',
      podManifest('kill', [container('main', script, mount)], {
        volumes: trace.volumes,
        terminationGracePeriodSeconds: 3,
      }),
    );
    await node.agent.waitForPod('kill', isRunning);
    const exec = await node.agent.cli('exec', 'kill', '--', 'true');
    expect(exec.code).toBe(0);
    await node.agent.remove('kill.yaml');
    const [told] = await node.agent.waitFor(async () => (await trace.read()).length > 0 && trace.read());
    await node.agent.waitForGone('kill');
    const uptime = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
    expect(uptime - Number(told)).toBeGreaterThan(2.5);
    expect(uptime - Number(told)).toBeLessThan(15);
  });

  test('pods of one name take turns: the new version waits for the end of the old', async () => {
    const trace = await traces('turns');
    const script = (version: number): string =>
      `trap 'sleep 1; echo end ${version} >>/trace/trace; exit 0' TERM; echo start ${version} >>/trace/trace; sleep 1000 & wait $!`;
    const manifest = (version: number): string =>
      podManifest('turns', [container('main', script(version), mount)], { volumes: trace.volumes });
    await node.agent.write('turns.yaml', manifest(1));
    await node.agent.waitFor(async () => (await trace.read()).length === 1);
    await node.agent.write('turns.yaml', manifest(2));
    const waiting = await node.agent.waitFor(async () =>
      (await node.agent.pods()).find(({ waits }) => waits.some(({ reason }) => reason === 'NameInUse')),
    );
    expect(waiting.waits[0]?.message).toMatch(/starts when the earlier pod default\/turns-n1 .* has ended/);
    await node.agent.waitFor(async () => (await trace.read()).length === 3);
    expect(await trace.read()).toEqual(['start 1', 'end 1', 'start 2']);
  });
});

describe('a new version of an application', () => {
  test('runs within a second of the edit, where the old one ends at TERM', async () => {
    const trace = await traces('version');
    const manifest = (version: number): string =>
      podManifest(
        'app',
        [
          container('main', `cat /version >>/trace/trace; ${untilTerm}`, {
            ...mount,
            image: appImage(version),
          }),
        ],
        { volumes: trace.volumes },
      );
    await node.agent.write('app.yaml', manifest(1));
    await node.agent.waitForPod('app', isRunning);
    const times: number[] = [];
    for (const version of [2, 1, 2, 1, 2]) {
      const before = (await trace.read()).length;
      const start = performance.now();
      await node.agent.write('app.yaml', manifest(version));
      await node.agent.waitFor(async () => (await trace.read()).length > before);
      times.push(Math.round(performance.now() - start));
      await node.agent.waitForPod(
        'app',
        (view) => isRunning(view) && view.pod.spec?.containers[0]?.image === appImage(version),
      );
    }
    expect(await trace.read()).toEqual(['1', '2', '1', '2', '1', '2']);
    // The machine may be busy with other things: the best of several counts.
    expect(Math.min(...times), `times: ${times.join(', ')} ms`).toBeLessThan(1000);
    const view = await node.agent.pod('app');
    expect(statusOf(view ?? ({} as never))).toMatchObject({ restartCount: 0, image: appImage(2) });
  });
});

describe('a sandbox that dies', () => {
  test.each([
    ['its process is killed', async (id: string) => void process.kill(await pidOf(id), 'SIGKILL')],
    [
      'its task is killed',
      async (id: string) => void (await node.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', id)),
    ],
  ])('because %s: everything starts again in a new one', async (why, kill) => {
    const name = why.includes('process') ? 'lost1' : 'lost2';
    const trace = await traces(name);
    await node.agent.write(
      `${name}.yaml`,
      podManifest(name, [container('one'), container('two')], {
        initContainers: [container('setup', 'echo setup >>/trace/trace', mount)],
        volumes: trace.volumes,
      }),
    );
    const before = await node.agent.waitForPod(name, isRunning);
    const sandbox = await sandboxOf(`${name}-n1`);
    await kill(sandbox);
    const after = await node.agent.waitForPod(
      name,
      (view) =>
        isRunning(view) &&
        statusOf(view, 'one')?.restartCount === 1 &&
        statusOf(view, 'two')?.restartCount === 1,
    );
    expect(after.pod.status?.podIP).not.toBe(before.pod.status?.podIP);
    expect(after.pod.metadata?.uid).toBe(before.pod.metadata?.uid);
    expect(await trace.read()).toEqual(['setup', 'setup']);
    expect(await sandboxOf(`${name}-n1`)).not.toBe(sandbox);
    await node.agent.remove(`${name}.yaml`);
    await node.agent.waitForGone(name);
    const { addresses, networkNamespaces, links } = await node.containerd.inventory();
    const others = (await node.agent.pods()).length;
    expect(addresses).not.toContain(before.pod.status?.podIP);
    expect(networkNamespaces.length).toBe(others);
    expect(links.length).toBe(others);
  });
});

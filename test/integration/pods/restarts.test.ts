import { mkdir, readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { container, hasPhase, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode();
const never = { restartPolicy: 'Never' };

/** A folder of the node that a pod writes to: what is in it outlives the pod. */
async function traces(name: string) {
  const path = join(node.agent.dir, 'traces', name);
  await mkdir(path, { recursive: true });
  return {
    path,
    volumes: [{ name: 'trace', hostPath: { path } }],
    mount: { volumeMounts: [{ name: 'trace', mountPath: '/trace' }] },
    read: async (file: string) =>
      (await readFile(join(path, file), 'utf8').catch(() => '')).split('\n').filter(Boolean),
  };
}

describe.concurrent('restart policies', () => {
  test('Never: a container runs once, and the pod fails with its exit code', async () => {
    await node.agent.write('never.yaml', podManifest('never', [container('main', 'exit 3')], never));
    const view = await node.agent.waitForPod('never', hasPhase('Failed'));
    expect(statusOf(view)).toMatchObject({
      restartCount: 0,
      state: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    expect((await node.agent.cli('get', 'pods', 'never')).stdout).toMatch(/never-n1\s+0\/1\s+Error\s+0/);
  });

  test('OnFailure: again until it ends well', async () => {
    const trace = await traces('on-failure');
    const script = 'echo run >>/trace/runs; [ $(wc -l </trace/runs) -ge 2 ]';
    await node.agent.write(
      'on-failure.yaml',
      podManifest('on-failure', [container('main', script, trace.mount)], {
        restartPolicy: 'OnFailure',
        volumes: trace.volumes,
      }),
    );
    const view = await node.agent.waitForPod('on-failure', hasPhase('Succeeded'));
    expect(statusOf(view)).toMatchObject({
      restartCount: 1,
      state: { terminated: { exitCode: 0, reason: 'Completed' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    });
    expect(await trace.read('runs')).toEqual(['run', 'run']);
  });

  test('Always: also after a good end', async () => {
    await node.agent.write('always.yaml', podManifest('always', [container('main', 'exit 0')]));
    const view = await node.agent.waitForPod(
      'always',
      (each) => (statusOf(each)?.restartCount ?? 0) >= 1 && statusOf(each)?.state?.waiting !== undefined,
    );
    expect(view.pod.status?.phase).toBe('Running');
    expect(statusOf(view)?.lastState?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
  });

  test('crash back-off: at once, then after 10 s, then 20 s; and it says so everywhere', async () => {
    const trace = await traces('crash');
    const script = 'cut -d" " -f1 /proc/uptime >>/trace/starts; echo "run $(wc -l </trace/starts)"; exit 7';
    await node.agent.write(
      'crash.yaml',
      podManifest('crash', [container('main', script, trace.mount)], { volumes: trace.volumes }),
    );
    const waiting = (delay: string) =>
      node.agent.waitForPod('crash', (each) => {
        const { reason, message } = statusOf(each)?.state?.waiting ?? {};
        return reason === 'CrashLoopBackOff' && message?.startsWith(`back-off ${delay} `) === true;
      });
    const first = await waiting('10s');
    const { uid } = first.pod.metadata ?? {};
    expect(statusOf(first)).toMatchObject({
      restartCount: 1,
      ready: false,
      state: {
        waiting: { message: `back-off 10s restarting failed container=main pod=crash-n1_default(${uid})` },
      },
      lastState: { terminated: { exitCode: 7 } },
    });
    const table = await node.agent.cli('get', 'pods', 'crash');
    expect(table.stdout).toMatch(/crash-n1\s+0\/1\s+CrashLoopBackOff\s+1/);
    const why = await node.agent.cli('explain', 'pod', 'crash');
    expect(why.stdout).toMatch(/exit code 7 \(Error\).* started 2 times.*Next try in \d+s/s);
    const logs = join(node.agent.podLogs, `default_crash-n1_${uid}`, 'main');
    expect((await readdir(logs)).sort()).toEqual(['0.log', '1.log']);
    expect((await node.agent.cli('logs', 'crash')).stdout).toBe('run 2\n');

    await waiting('20s');
    const starts = (await trace.read('starts')).map(Number);
    const [zero = 0, one = 0, two = 0] = starts;
    expect(starts).toHaveLength(3);
    expect(one - zero).toBeLessThan(6);
    expect(two - one).toBeGreaterThanOrEqual(9.9);
    expect(two - one).toBeLessThan(17);
    const reasons = (await node.agent.client.events({ namespace: 'default', name: 'crash-n1' })).map(
      (event) => event.reason,
    );
    expect(reasons).toContain('BackOff');
    // Log collectors find each instance's log by its link.
    const links = (await readdir(node.agent.containerLogs)).filter((name) =>
      name.startsWith('crash-n1_default_main-'),
    );
    const targets = await Promise.all(links.map((name) => readlink(join(node.agent.containerLogs, name))));
    expect(targets.every((target) => target.startsWith(`${logs}/`))).toBe(true);
    expect(targets).toContain(join(logs, '2.log'));
  });

  test('the back-off is each container’s own: a fresh pod starts at once beside a crashing one', async () => {
    await node.agent.write('fresh.yaml', podManifest('fresh', [container('main', 'exit 1')]));
    const view = await node.agent.waitForPod(
      'fresh',
      (each) => statusOf(each)?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    const events = await node.agent.client.events({
      namespace: 'default',
      name: view.pod.metadata?.name ?? '',
    });
    expect(
      events.filter(({ reason }) => reason === 'Started').reduce((sum, { count }) => sum + (count ?? 1), 0),
    ).toBe(2);
  });
});

describe.concurrent('how containers end', () => {
  test('termination messages: from the file, and from the log where the policy says so', async () => {
    const fallback = { terminationMessagePolicy: 'FallbackToLogsOnError' };
    await node.agent.write(
      'messages.yaml',
      podManifest(
        'messages',
        [
          container('file', 'echo "last words" >/dev/termination-log; exit 1'),
          container('own-path', 'echo elsewhere >/tmp/words', { terminationMessagePath: '/tmp/words' }),
          container('log', 'echo one; echo two; exit 1', fallback),
          container('quiet', 'echo fine', fallback),
          container('user', 'echo as user >/dev/termination-log', { securityContext: { runAsUser: 1000 } }),
        ],
        never,
      ),
    );
    const view = await node.agent.waitForPod('messages', hasPhase('Failed'));
    const message = (name: string): string | undefined => statusOf(view, name)?.state?.terminated?.message;
    expect(['file', 'own-path', 'log', 'quiet', 'user'].map(message)).toEqual([
      'last words\n',
      'elsewhere\n',
      'one\ntwo\n',
      undefined,
      'as user\n',
    ]);
  });

  test('over its memory limit: OOMKilled, 137, and again', async () => {
    const script = 'exec dd if=/dev/zero of=/dev/null bs=256M count=1';
    await node.agent.write(
      'oom.yaml',
      podManifest('oom', [container('main', script, { resources: { limits: { memory: '32Mi' } } })]),
    );
    const view = await node.agent.waitForPod(
      'oom',
      // containerd 1.6 may miss the kernel's word on a busy machine, and say it of the next instance.
      (each) =>
        statusOf(each)?.state?.waiting !== undefined &&
        statusOf(each)?.lastState?.terminated?.reason === 'OOMKilled',
    );
    expect(statusOf(view)?.restartCount).toBeGreaterThan(0);
    expect(statusOf(view)?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  test('killed from outside: restarted in the same sandbox', async () => {
    await node.agent.write(
      'killed.yaml',
      podManifest('killed', [container('main', untilTerm), container('other', untilTerm)]),
    );
    const before = await node.agent.waitForPod('killed', hasPhase('Running'));
    const id = statusOf(before, 'main')?.containerID?.replace('containerd://', '') ?? '';
    await node.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', id);
    const after = await node.agent.waitForPod(
      'killed',
      (each) =>
        statusOf(each, 'main')?.restartCount === 1 && statusOf(each, 'main')?.state?.running !== undefined,
    );
    expect(statusOf(after, 'main')?.lastState?.terminated).toMatchObject({ exitCode: 137 });
    expect(after.pod.status?.podIP).toBe(before.pod.status?.podIP);
    expect(statusOf(after, 'other')?.containerID).toBe(statusOf(before, 'other')?.containerID);
  });
});

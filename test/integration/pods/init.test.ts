import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { container, hasPhase, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode();
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

/** Says when it starts and, after a while, when TERM reaches it. */
const traced = (name: string): string =>
  `trap 'sleep 0.3; echo stop ${name} >>/trace/trace; exit 0' TERM; echo start ${name} >>/trace/trace; sleep 2147483647 & wait $!`;
const sidecar = (name: string) => container(name, traced(name), { ...mount, restartPolicy: 'Always' });

describe.concurrent('init containers', () => {
  test('run one after the other, each to its end, before the app containers', async () => {
    const trace = await traces('order');
    const step = (name: string) =>
      container(name, `echo start ${name} >>/trace/trace; sleep 0.3; echo end ${name} >>/trace/trace`, mount);
    await node.agent.write(
      'order.yaml',
      podManifest('order', [container('app', traced('app'), mount)], {
        initContainers: [step('first'), step('second')],
        volumes: trace.volumes,
      }),
    );
    const view = await node.agent.waitForPod('order', isRunning);
    expect(await node.agent.waitFor(async () => (await trace.read()).length === 5 && trace.read())).toEqual([
      'start first',
      'end first',
      'start second',
      'end second',
      'start app',
    ]);
    expect(
      view.pod.status?.initContainerStatuses?.map(({ ready, state }) => [ready, state?.terminated?.reason]),
    ).toEqual([
      [true, 'Completed'],
      [true, 'Completed'],
    ]);
  });

  test('that fail hold up the rest, and are tried again', async () => {
    const trace = await traces('retry');
    const script = 'echo try >>/trace/trace; [ $(wc -l </trace/trace) -ge 2 ]';
    await node.agent.write(
      'retry.yaml',
      podManifest('retry', [container('app')], {
        initContainers: [container('setup', script, mount)],
        volumes: trace.volumes,
      }),
    );
    const view = await node.agent.waitForPod('retry', isRunning);
    expect(statusOf(view, 'setup')).toMatchObject({ restartCount: 1, ready: true });
    expect(await trace.read()).toEqual(['try', 'try']);
  });

  test('that fail for good fail the pod, whose app containers never run', async () => {
    await node.agent.write(
      'fail.yaml',
      podManifest('fail', [container('app')], {
        restartPolicy: 'Never',
        initContainers: [container('setup', 'exit 5')],
      }),
    );
    const view = await node.agent.waitForPod('fail', hasPhase('Failed'));
    expect(statusOf(view, 'setup')?.state?.terminated?.exitCode).toBe(5);
    expect(statusOf(view, 'app')?.state?.waiting?.reason).toBe('PodInitializing');
    expect((await node.agent.cli('get', 'pods', 'fail')).stdout).toMatch(/Init:Error/);
  });
});

describe.concurrent('sidecars', () => {
  test('start in order before the app, and stop after it, the last first', async () => {
    const trace = await traces('sidecars');
    await node.agent.write(
      'sidecars.yaml',
      podManifest('sidecars', [container('app', traced('app'), mount)], {
        initContainers: [
          sidecar('one'),
          container('setup', 'echo setup >>/trace/trace', mount),
          sidecar('two'),
        ],
        volumes: trace.volumes,
        terminationGracePeriodSeconds: 20,
      }),
    );
    await node.agent.waitForPod(
      'sidecars',
      (view) => isRunning(view) && statusOf(view, 'two')?.started === true,
    );
    await node.agent.waitFor(async () => (await trace.read()).includes('start app'));
    await node.agent.remove('sidecars.yaml');
    await node.agent.waitForGone('sidecars');
    expect(await trace.read()).toEqual([
      'start one',
      'setup',
      'start two',
      'start app',
      'stop app',
      'stop two',
      'stop one',
    ]);
  });

  test('run again when they end, while the app runs on', async () => {
    const trace = await traces('again');
    await node.agent.write(
      'again.yaml',
      podManifest('again', [container('app', untilTerm)], {
        initContainers: [
          container(
            'helper',
            `echo run >>/trace/trace; [ $(wc -l </trace/trace) -ge 2 ] && { ${untilTerm}; }; sleep 2`,
            { ...mount, restartPolicy: 'Always' },
          ),
        ],
        volumes: trace.volumes,
      }),
    );
    const view = await node.agent.waitForPod(
      'again',
      (each) =>
        statusOf(each, 'helper')?.restartCount === 1 &&
        statusOf(each, 'helper')?.state?.running !== undefined,
    );
    expect(statusOf(view, 'app')).toMatchObject({ restartCount: 0 });
    expect(statusOf(view, 'app')?.state?.running).toBeDefined();
  });

  test('end with a pod whose work is done', async () => {
    const trace = await traces('done');
    await node.agent.write(
      'done.yaml',
      podManifest('done', [container('job', 'sleep 0.2; echo work >>/trace/trace', mount)], {
        restartPolicy: 'Never',
        initContainers: [sidecar('helper')],
        volumes: trace.volumes,
      }),
    );
    const view = await node.agent.waitForPod(
      'done',
      (each) => hasPhase('Succeeded')(each) && statusOf(each, 'helper')?.state?.terminated !== undefined,
    );
    expect(await trace.read()).toEqual(['start helper', 'work', 'stop helper']);
    expect(statusOf(view, 'job')?.state?.terminated?.exitCode).toBe(0);
  });
});

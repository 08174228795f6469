import { describe, expect, test } from 'vitest';
import { findProcesses } from '#host/processes.ts';
import type { Container } from '#lib/kube/types.ts';
import { container, hasPhase, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { type WebFolder, webFolder } from '#test/bed/web-folder.ts';
import { serveHealth } from './grpc-health.ts';
import { useNode } from './node.ts';

const node = useNode();

const web = 'exec httpd -f -p 8080 -h /www';
const ports = [{ name: 'web', containerPort: 8080 }];

const folder = (name: string): Promise<WebFolder> => webFolder(node.agent.dir, name);

const events = async (pod: string, reason: string): Promise<string[]> =>
  (await node.agent.client.events({ namespace: 'default', name: `${pod}-n1` })).flatMap((event) =>
    event.reason === reason ? [event.message ?? ''] : [],
  );
const isReady = (view: Parameters<typeof statusOf>[0], name?: string): boolean =>
  statusOf(view, name)?.ready === true;

describe.concurrent('probes', () => {
  test('httpGet by a named port: readiness comes and goes without a restart', async () => {
    const www = await folder('http');
    const readinessProbe = {
      httpGet: { path: '/ready?x=1', port: 'web' },
      periodSeconds: 1,
      failureThreshold: 2,
    };
    const app = container('main', web, { ports, readinessProbe, ...www.mount });
    await node.agent.write('http.yaml', podManifest('http', [app], { volumes: www.volumes }));
    const before = await node.agent.waitForPod('http', isRunning);
    expect(isReady(before)).toBe(false);
    await node.agent.waitFor(async () =>
      (await events('http', 'Unhealthy')).includes(
        'Readiness probe failed: HTTP probe failed with statuscode: 404',
      ),
    );
    await www.add('ready');
    await node.agent.waitForPod('http', (view) => isReady(view), 5000);
    expect((await node.agent.cli('get', 'pods', 'http')).stdout).toMatch(/http-n1\s+1\/1\s+Running\s+0/);
    await www.remove('ready');
    await node.agent.waitForPod('http', (view) => !isReady(view), 6000);
    const why = await node.agent.cli('explain', 'pod', 'http');
    expect(why.stdout).toMatch(/readiness probe has not succeeded.*statuscode: 404/s);
    await www.add('ready');
    const after = await node.agent.waitForPod('http', (view) => isReady(view), 5000);
    expect(statusOf(after)?.containerID).toBe(statusOf(before)?.containerID);
  });

  test('tcpSocket, and grpc on the host’s network', async () => {
    const health = await serveHealth('shop');
    try {
      const tcp = container('tcp', 'sleep 2; exec httpd -f -p 8081 -h /', {
        readinessProbe: { tcpSocket: { port: 8081 }, periodSeconds: 1 },
      });
      const grpc = container('grpc', untilTerm, {
        readinessProbe: { grpc: { port: health.port, service: 'shop' }, periodSeconds: 1 },
      });
      await node.agent.write('tcp.yaml', podManifest('tcp', [tcp]));
      await node.agent.write('grpc.yaml', podManifest('grpc', [grpc], { hostNetwork: true }));
      const early = await node.agent.waitForPod('tcp', isRunning);
      expect(isReady(early)).toBe(false);
      await node.agent.waitForPod('tcp', (view) => isReady(view));
      expect((await events('tcp', 'Unhealthy'))[0]).toMatch(
        /^Readiness probe failed: dial tcp [0-9.]+:8081: connect: connection refused$/,
      );
      await node.agent.waitForPod('grpc', isRunning);
      await node.agent.waitFor(async () =>
        (await events('grpc', 'Unhealthy')).includes(
          'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")',
        ),
      );
      health.serving = true;
      await node.agent.waitForPod('grpc', (view) => isReady(view), 5000);
    } finally {
      health.close();
    }
  });

  test('liveness by exec: the container is restarted, in the same sandbox', async () => {
    const www = await folder('live');
    await www.add('live');
    const livenessProbe = {
      exec: { command: ['test', '-f', '$(WHERE)/live'] },
      periodSeconds: 1,
      failureThreshold: 2,
    };
    const env = [{ name: 'WHERE', value: '/www' }];
    const main = container('main', untilTerm, { livenessProbe, env, ...www.mount });
    await node.agent.write(
      'live.yaml',
      podManifest('live', [main, container('other')], { volumes: www.volumes }),
    );
    const before = await node.agent.waitForPod('live', isRunning);
    await www.remove('live');
    const after = await node.agent.waitForPod(
      'live',
      (view) => statusOf(view, 'main')?.restartCount === 1 && isRunning(view),
    );
    await www.add('live');
    expect(await events('live', 'Killing')).toEqual([
      'Container main failed liveness probe, will be restarted',
    ]);
    expect(after.pod.status?.podIP).toBe(before.pod.status?.podIP);
    expect(statusOf(after, 'other')?.restartCount).toBe(0);
  });

  test('an exec that takes too long is one failure and leaves no process behind', async () => {
    const slow: NonNullable<Container['readinessProbe']> = {
      exec: { command: ['sh', '-c', 'sleep 31415 & (sleep 31416 &) ; sleep 31417'] },
      timeoutSeconds: 1,
      periodSeconds: 1,
      failureThreshold: 1,
    };
    const good = { exec: { command: ['true'] }, periodSeconds: 1 };
    const main = container('main', 'sleep 31418 & ' + untilTerm, {
      livenessProbe: good,
      readinessProbe: slow,
    });
    await node.agent.write('slow.yaml', podManifest('slow', [main]));
    await node.agent.waitForPod('slow', isRunning);
    const failures = async (): Promise<number> =>
      (await node.agent.client.events({ namespace: 'default', name: 'slow-n1' }))
        .filter(({ reason, message }) => reason === 'Unhealthy' && message?.includes('timed out after 1s'))
        .reduce((sum, { count }) => sum + (count ?? 1), 0);
    await node.agent.waitFor(async () => (await failures()) >= 4, 20_000);
    const left = async (): Promise<string[]> => {
      const found = await findProcesses(
        (args) => args[0] === 'sleep' && args[1]?.startsWith('3141') === true,
      );
      return found.map(({ args }) => args[1] ?? '').sort();
    };
    // At most what the probe under way has started, and the container's own.
    const most = ['31415', '31416', '31417', '31418'];
    const now = await left();
    expect(now).toContain('31418');
    expect(most).toEqual(expect.arrayContaining(now));
    expect(now.length).toBeLessThanOrEqual(most.length);
    const view = await node.agent.pod('slow');
    expect(view && statusOf(view)).toMatchObject({ ready: false, restartCount: 0 });
    await node.agent.remove('slow.yaml');
    await node.agent.waitForGone('slow');
    expect(await left()).toEqual([]);
  });

  test('startup: a sidecar’s holds up the app, an app’s gates its other probes', async () => {
    const www = await folder('startup');
    const startupProbe = (file: string): NonNullable<Container['startupProbe']> => ({
      exec: { command: ['test', '-f', `/www/${file}`] },
      periodSeconds: 1,
      failureThreshold: 60,
    });
    const side = container('side', untilTerm, {
      restartPolicy: 'Always',
      startupProbe: startupProbe('side'),
      ...www.mount,
    });
    const main = container('main', untilTerm, {
      startupProbe: startupProbe('main'),
      livenessProbe: {
        exec: { command: ['test', '-f', '/www/main'] },
        periodSeconds: 1,
        failureThreshold: 1,
      },
      ...www.mount,
    });
    await node.agent.write(
      'startup.yaml',
      podManifest('startup', [main], { initContainers: [side], volumes: www.volumes }),
    );
    const early = await node.agent.waitForPod(
      'startup',
      (view) => statusOf(view, 'side')?.state?.running !== undefined,
    );
    expect(early.pod.status?.phase).toBe('Pending');
    expect(statusOf(early, 'main')?.state?.waiting?.reason).toBe('PodInitializing');
    await www.add('side');
    const starting = await node.agent.waitForPod('startup', hasPhase('Running'));
    expect(statusOf(starting, 'main')).toMatchObject({ started: false, ready: false });
    await www.add('main');
    const started = await node.agent.waitForPod('startup', (view) => isReady(view, 'main'));
    expect(statusOf(started, 'main')).toMatchObject({ started: true, restartCount: 0 });
  });
});

test('a kill -9 of the agent takes nobody’s readiness, and starts no start-up probe anew', async () => {
  const www = await folder('restart');
  for (const file of ['up', 'ready']) await www.add(file);
  const probe = (file: string): NonNullable<Container['startupProbe']> => ({
    exec: { command: ['sh', '-c', `echo ${file} >>/www/trace; test -f /www/${file}`] },
    periodSeconds: 1,
  });
  const main = container('main', untilTerm, {
    startupProbe: probe('up'),
    readinessProbe: probe('ready'),
    ...www.mount,
  });
  await node.agent.write('restart.yaml', podManifest('restart', [main], { volumes: www.volumes }));
  const before = await node.agent.waitForPod('restart', (view) => isReady(view));
  // Without an API server the record alone remembers, and is written a moment later.
  await new Promise((resolve) => setTimeout(resolve, 500));
  await node.agent.kill9();
  await www.remove('up');
  await node.agent.spawn();
  const seen = await node.agent.waitForPod('restart', (view) => statusOf(view) !== undefined);
  const ready = (view: typeof before) => view.pod.status?.conditions?.find(({ type }) => type === 'Ready');
  expect(ready(seen)?.status).toBe('True');
  for (let looks = 0; looks < 40; looks++) {
    const view = await node.agent.pod('restart');
    expect(view && isReady(view)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const after = await node.agent.pod('restart');
  expect(after && statusOf(after)?.containerID).toBe(statusOf(before)?.containerID);
});

/** Probes and hooks of pods of the API server: what others see of them. */
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { container, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { type WebFolder, webFolder } from '#test/bed/web-folder.ts';
import { type ApiView, useClusterNode } from '#test/control-plane/cluster-node.ts';

const node = useClusterNode();

const folder = (name: string): Promise<WebFolder> => webFolder(node.agent.dir, name);

const readyCondition = ({ pod }: ApiView) => pod.status?.conditions?.find(({ type }) => type === 'Ready');
const isReady = (view: ApiView): boolean => readyCondition(view)?.status === 'True';
const messages = async (pod: string, reason: string): Promise<string[]> =>
  (await node.events(pod)).flatMap((event) => (event.reason === reason ? [event.message ?? ''] : []));
/** 0 where the time isn't set. */
const seconds = (time: string | undefined): number => (Date.parse(time ?? '') || 0) / 1000;

describe.concurrent('on a node of a cluster', () => {
  test('the condition Ready follows the readiness probe, not before its initial delay', async () => {
    const www = await folder('ready');
    await www.add('ready');
    const web = container('main', 'exec httpd -f -p 8080 -h /www', {
      ports: [{ name: 'web', containerPort: 8080 }],
      readinessProbe: {
        httpGet: { path: '/ready', port: 'web' },
        initialDelaySeconds: 3,
        periodSeconds: 1,
        failureThreshold: 2,
      },
      ...www.mount,
    });
    await node.createPod(podManifest('ready', [web], { volumes: www.volumes }));
    const early = await node.waitForPod('ready', isRunning);
    expect(isReady(early)).toBe(false);
    const ready = await node.waitForPod('ready', isReady);
    const startedAt = seconds(statusOf(ready)?.state?.running?.startedAt);
    expect(seconds(readyCondition(ready)?.lastTransitionTime) - startedAt).toBeGreaterThanOrEqual(3);
    await www.remove('ready');
    const lost = await node.waitForPod('ready', (view) => !isReady(view));
    expect(readyCondition(lost)).toMatchObject({
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    });
    expect(lost.pod.status?.phase).toBe('Running');
    await www.add('ready');
    await node.waitForPod('ready', isReady);
    expect(await messages('ready', 'Unhealthy')).toContain(
      'Readiness probe failed: HTTP probe failed with statuscode: 404',
    );
  });

  test('a liveness probe restarts its container again and again, and nothing else of the pod', async () => {
    const main = container('main', 'touch /tmp/live; sleep 3; rm /tmp/live; ' + untilTerm, {
      livenessProbe: {
        exec: { command: ['test', '-f', '/tmp/live'] },
        periodSeconds: 1,
        failureThreshold: 1,
      },
      lifecycle: {
        postStart: { exec: { command: ['sh', '-c', 'until test -f /tmp/live; do sleep 0.1; done'] } },
      },
    });
    const { metadata } = await node.createPod(podManifest('live', [main, container('other')]));
    const after = await node.waitForPod('live', (view) => (statusOf(view, 'main')?.restartCount ?? 0) >= 2, {
      timeoutMs: 100_000,
    });
    expect(after.pod.metadata?.uid).toBe(metadata?.uid);
    expect(statusOf(after, 'other')).toMatchObject({ restartCount: 0, ready: true });
    expect(await messages('live', 'Killing')).toContain(
      'Container main failed liveness probe, will be restarted',
    );
    await node.deletePod('live');
    await node.waitForGone('live');
  });

  test('preStop comes before TERM, while the pod still has its network and readiness', async () => {
    const www = await folder('drain');
    const preStop =
      'until test -f /www/go; do sleep 0.1; done; wget -q -O /www/answer http://localhost:8080/go';
    const web = container('main', 'exec httpd -f -p 8080 -h /www', {
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      lifecycle: { preStop: { exec: { command: ['sh', '-c', preStop] } } },
      ...www.mount,
    });
    const spec = { volumes: www.volumes, terminationGracePeriodSeconds: 8 };
    await node.createPod(podManifest('drain', [web], spec));
    await node.waitForPod('drain', isReady);
    await node.deletePod('drain');
    const ending = await node.waitForPod('drain', ({ pod }) => pod.metadata?.deletionTimestamp !== undefined);
    expect(isReady(ending)).toBe(true);
    await wait(1000);
    expect(isReady(await node.waitForPod('drain', () => true))).toBe(true);
    await www.add('go');
    await node.waitForGone('drain');
    expect(await messages('drain', 'FailedPreStopHook')).toEqual([]);
  });
});

test('an agent that comes back writes no status of what goes on as before', async () => {
  const startupProbe = { exec: { command: ['true'] }, periodSeconds: 1 };
  const readinessProbe = { exec: { command: ['true'] }, periodSeconds: 2 };
  const unready = { exec: { command: ['false'] }, periodSeconds: 1 };
  await node.createPod(
    podManifest('stays', [container('main', untilTerm, { startupProbe, readinessProbe })]),
  );
  await node.createPod(podManifest('unready', [container('main', untilTerm, { readinessProbe: unready })]));
  await node.waitForPod('stays', isReady);
  await node.waitForPod('unready', isRunning);
  // Whatever is still to be written, is.
  await wait(2000);
  const look = async (): Promise<(Pod | undefined)[]> => [await node.pod('stays'), await node.pod('unready')];
  const before = await look();
  await node.agent.kill9();
  await node.agent.restart();
  await node.waitForNode();
  // Longer than any of the periods.
  await wait(5000);
  expect((await look()).map((pod) => pod?.metadata?.resourceVersion)).toEqual(
    before.map((pod) => pod?.metadata?.resourceVersion),
  );
});

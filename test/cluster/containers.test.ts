/** What may change in a running pod: ephemeral containers, resources; and which containers run again. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Container, ContainerStatus, Pod } from '#lib/kube/types.ts';
import { mountTable } from '#test/bed/inventory.ts';
import { container, hasPhase, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { testResources } from '#test/control-plane/resources.ts';

const node = useClusterNode();
const { pods } = testResources;

const create = (
  name: string,
  containers: Container[],
  spec: Parameters<typeof podManifest>[2] = {},
): Promise<Pod> =>
  node.createPod(podManifest(name, containers, { automountServiceAccountToken: false, ...spec }));

const debug = (name: string, of: object): Promise<Pod> =>
  node.plane.client.patch<Pod>(
    pods,
    { name, namespace: 'default', subresource: 'ephemeralcontainers' },
    { spec: { ephemeralContainers: [of] } },
  );

const ephemeral = (pod: Pod): ContainerStatus | undefined => pod.status?.ephemeralContainerStatuses?.[0];
const logOf = async (pod: Pod, of: string): Promise<string> => {
  const { name, namespace, uid } = pod.metadata ?? {};
  return readFile(join(node.agent.podLogs, `${namespace}_${name}_${uid}`, of, '0.log'), 'utf8');
};

describe.concurrent('an ephemeral container', () => {
  test('sees the processes of its target, and runs once', async () => {
    await create('debugged', [container('main', `: true-name; ${untilTerm}`)]);
    await node.waitForPod('debugged', isRunning);
    await debug('debugged', {
      ...container('tools', 'ps -o args; exit 7'),
      targetContainerName: 'main',
      terminationMessagePolicy: 'File',
    });
    const ended = await node.waitForPod(
      'debugged',
      ({ pod }) => ephemeral(pod)?.state?.terminated !== undefined,
    );
    expect(ephemeral(ended.pod)).toMatchObject({
      name: 'tools',
      restartCount: 0,
      state: { terminated: { exitCode: 7 } },
    });
    expect(await logOf(ended.pod, 'tools')).toContain('true-name');
    expect(ended.pod.status).toMatchObject({ phase: 'Running' });
    expect(statusOf(ended)).toMatchObject({ ready: true, restartCount: 0 });
  });
});

describe.concurrent('which containers run again', () => {
  const rules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }];

  test('one whose rule names its exit code, under restartPolicy Never', async () => {
    const counting =
      'n=$(cat /state/n 2>/dev/null || echo 0); echo $((n + 1)) >/state/n; [ $n = 0 ] && exit 42; exit 3';
    const main = container('main', counting, {
      restartPolicy: 'Never',
      restartPolicyRules: rules,
      volumeMounts: [{ name: 'state', mountPath: '/state' }],
    });
    await create('ruled', [main], { restartPolicy: 'Never', volumes: [{ name: 'state', emptyDir: {} }] });
    const view = await node.waitForPod('ruled', hasPhase('Failed'));
    expect(statusOf(view)).toMatchObject({ restartCount: 1, state: { terminated: { exitCode: 3 } } });
  });

  test('not one with a policy of its own that says so', async () => {
    const once = container('once', 'exit 0', { restartPolicy: 'Never' });
    await create('mixed', [once, container('main')]);
    const view = await node.waitForPod(
      'mixed',
      (each) => statusOf(each, 'once')?.state?.terminated !== undefined,
    );
    expect(view.pod.status?.phase).not.toBe('Failed');
    await node.waitForPod('mixed', hasPhase('Running'));
    expect(statusOf(view, 'once')?.restartCount).toBe(0);
  });
});

const isV2 = async (): Promise<boolean> =>
  (await mountTable()).some(({ point, type }) => point === '/sys/fs/cgroup' && type === 'cgroup2');

/** Memory limit and CPU quota of a group of the pod, whatever the version. */
async function limits(pod: Pod, qos: string, of?: string): Promise<{ memory: string; quota: string }> {
  const id = (pod.status?.containerStatuses ?? []).find(({ name }) => name === of)?.containerID ?? '';
  const group = join('kubepods', qos, `pod${pod.metadata?.uid}`, id.replace('containerd://', ''));
  const read = async (path: string): Promise<string> =>
    (await readFile(join('/sys/fs/cgroup', path), 'utf8')).trim();
  if (await isV2()) {
    const [quota = ''] = (await read(join(group, 'cpu.max'))).split(' ');
    return { memory: await read(join(group, 'memory.max')), quota };
  }
  return {
    memory: await read(join('memory', group, 'memory.limit_in_bytes')),
    quota: await read(join('cpu', group, 'cpu.cfs_quota_us')),
  };
}

describe.concurrent('a resize in place', () => {
  const of = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
  const resize = (name: string, ...containers: object[]): Promise<Pod> =>
    node.plane.client.patch<Pod>(
      pods,
      { name, namespace: 'default', subresource: 'resize' },
      { spec: { containers } },
    );
  const has =
    (resources: object) =>
    (view: { pod: Pod }): boolean => {
      const types = view.pod.status?.conditions?.map(({ type }) => type) ?? [];
      return (
        isDeepStrictEqual(statusOf(view, 'main')?.resources?.limits, resources) &&
        !types.some((type) => type.startsWith('PodResize')) &&
        view.pod.status?.observedGeneration === view.pod.metadata?.generation
      );
    };

  test('grows and shrinks without a restart, in the container and in the pod’s group', async () => {
    await create('resized', [
      container('main', undefined, { resources: of('20m', '32Mi') }),
      container('other', undefined, { resources: of('20m', '32Mi') }),
    ]);
    await node.waitForPod('resized', isRunning);
    await resize('resized', { name: 'main', resources: of('40m', '64Mi') });
    const grown = await node.waitForPod('resized', has({ cpu: '40m', memory: '64Mi' }));
    expect(statusOf(grown, 'main')).toMatchObject({
      restartCount: 0,
      allocatedResources: { cpu: '40m', memory: '64Mi' },
    });
    expect(await limits(grown.pod, '', 'main')).toEqual({ memory: `${64 << 20}`, quota: '4000' });
    expect(await limits(grown.pod, '')).toEqual({ memory: `${96 << 20}`, quota: '6000' });

    await resize('resized', { name: 'main', resources: of('20m', '32Mi') });
    const shrunk = await node.waitForPod('resized', has({ cpu: '20m', memory: '32Mi' }));
    expect(await limits(shrunk.pod, '', 'main')).toEqual({ memory: `${32 << 20}`, quota: '2000' });
    expect(await limits(shrunk.pod, '')).toEqual({ memory: `${64 << 20}`, quota: '4000' });
    expect(statusOf(shrunk, 'other')?.restartCount).toBe(0);
    const reasons = (await node.events('resized')).map(({ reason }) => reason);
    expect(reasons).toContain('ResizeStarted');
    expect(reasons).toContain('ResizeCompleted');
  });

  test('restarts the container that asks for it, and no other', async () => {
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    await create('restarted', [
      container('main', undefined, { resources: of('20m', '32Mi'), resizePolicy }),
      container('other', undefined, { resources: of('20m', '32Mi') }),
    ]);
    await node.waitForPod('restarted', isRunning);
    await resize('restarted', { name: 'main', resources: of('20m', '48Mi') });
    const view = await node.waitForPod(
      'restarted',
      (each) => has({ cpu: '20m', memory: '48Mi' })(each) && isRunning(each),
    );
    expect(statusOf(view, 'main')?.restartCount).toBe(1);
    expect(statusOf(view, 'other')?.restartCount).toBe(0);
    expect(await limits(view.pod, '', 'main')).toMatchObject({ memory: `${48 << 20}` });
  });

  test('waits where the node has no room, and the pod runs on', async () => {
    await create('neighbour', [container('main', undefined, { resources: of('20m', '32Mi') })]);
    await create('large', [container('main', undefined, { resources: of('20m', '32Mi') })]);
    await Promise.all(['large', 'neighbour'].map((name) => node.waitForPod(name, isRunning)));
    // More than there is the API server itself refuses; all that there is, others have a part of.
    const { cpu = '' } = (await node.waitForNode()).status?.allocatable ?? {};
    await resize('large', { name: 'main', resources: of(cpu, '32Mi') });
    const view = await node.waitForPod(
      'large',
      ({ pod }) => pod.status?.conditions?.some(({ type }) => type === 'PodResizePending') === true,
    );
    expect(view.pod.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'PodResizePending', status: 'True', reason: 'Deferred' }),
    );
    expect(statusOf(view)).toMatchObject({ allocatedResources: { cpu: '20m' }, restartCount: 0 });
    expect(isRunning(view)).toBe(true);
  });
});

test('a new agent finds all that as it was: nothing restarts, and what waited waits on', async () => {
  await node.agent.kill9();
  await node.agent.restart();
  await node.waitForPod('debugged', isRunning);
  const [debugged, restarted, large] = await Promise.all(
    ['debugged', 'restarted', 'large'].map((name) => node.waitForPod(name, isRunning)),
  );
  expect(debugged && ephemeral(debugged.pod)?.state?.terminated?.exitCode).toBe(7);
  expect(restarted && statusOf(restarted, 'main')).toMatchObject({
    restartCount: 1,
    resources: { limits: { cpu: '20m', memory: '48Mi' } },
  });
  expect(large?.pod.status?.conditions).toContainEqual(
    expect.objectContaining({ type: 'PodResizePending', reason: 'Deferred' }),
  );
  // The old agent's wish is judged by the new one: once there is less to ask for, it is done.
  const resources = { requests: { cpu: '30m', memory: '32Mi' }, limits: { cpu: '30m', memory: '32Mi' } };
  await node.plane.client.patch<Pod>(
    pods,
    { name: 'large', namespace: 'default', subresource: 'resize' },
    { spec: { containers: [{ name: 'main', resources }] } },
  );
  const done = await node.waitForPod(
    'large',
    ({ pod }) => pod.status?.conditions?.every(({ type }) => !type.startsWith('PodResize')) === true,
  );
  expect(statusOf(done)).toMatchObject({ restartCount: 0, resources });
});

/** What controllers expect of a node, with the real controllers and the real scheduler. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { container } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeRealOnly } from '#test/control-plane/start.ts';
import { appOf, hasCondition, isReadyPod, job, jobSpec, podsOf, template } from './objects.ts';
import type { Controller } from './objects.ts';

const { cronJobs, daemonSets, deployments, jobs, pods, statefulSets } = testResources;

describeRealOnly('controllers', 'the fake has no controllers', () => {
  const node = useClusterNode({ plane: { real: { scheduler: true } } });
  const client = () => node.plane.client;
  const find = (resource: typeof jobs, name: string) => client().find<Controller>(resource, { name });
  const remove = async (resource: typeof jobs, name: string, labels: string): Promise<void> => {
    await client().delete(resource, { name }, { propagationPolicy: 'Background' });
    await eventually(async () => (await podsOf(node.plane, labels)).length === 0, 60_000);
  };
  /** Fires once while the other tests run; the last one looks. */
  const minutely = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'minutely', namespace: 'default' },
    spec: { schedule: '* * * * *', jobTemplate: { spec: jobSpec('exit 0') } },
  };

  test('a CronJob’s job can be had before its time', async () => {
    await client().create(cronJobs, minutely);
    await node.kubectl('create', 'job', 'by-hand', '--from=cronjob/minutely');
    await eventually(async () => hasCondition(await find(jobs, 'by-hand'), 'Complete'), 60_000);
    await remove(jobs, 'by-hand', 'job-name=by-hand');
  });

  test('a Deployment rolls, and never has fewer pods available than it wants', async () => {
    const pod = (version: string) =>
      template('web', [container('main', undefined, { env: [{ name: 'VERSION', value: version }] })]);
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };
    const more = { replicas: 3, strategy };
    await client().create(deployments, appOf('Deployment', 'web', pod('1'), more));
    await node.kubectl('rollout', 'status', 'deployment/web', '--timeout=55s');
    const old = (await podsOf(node.plane, 'app=web')).map(({ metadata }) => metadata?.name);
    expect(old).toHaveLength(3);

    const watch = client().watch<Controller>(deployments, { namespace: 'default' });
    await client().patch(deployments, { name: 'web' }, { spec: { template: pod('2') } });
    await node.kubectl('rollout', 'status', 'deployment/web', '--timeout=55s');
    const available = watch.pending.map(({ object }) => object.status?.availableReplicas);
    watch.close();
    expect(available.length).toBeGreaterThan(3);
    expect(available.every((count) => count === 3 || count === 4)).toBe(true);

    const now = await eventually(async () => {
      const found = await podsOf(node.plane, 'app=web');
      return found.length === 3 && found;
    }, 30_000);
    expect(now.every(isReadyPod)).toBe(true);
    expect(now.map(({ spec }) => spec?.containers[0]?.env?.[0]?.value)).toEqual(['2', '2', '2']);
    expect(now.filter(({ metadata }) => old.includes(metadata?.name))).toEqual([]);
    await remove(deployments, 'web', 'app=web');
  });

  test('a Job has its completions; its pods stay until it goes', async () => {
    await client().create(jobs, job('count', jobSpec('sleep 0.3', { completions: 4, parallelism: 2 })));
    const done = await eventually(async () => {
      const found = await find(jobs, 'count');
      return hasCondition(found, 'Complete') && found;
    }, 60_000);
    expect(done?.status).toMatchObject({ succeeded: 4 });
    const left = await podsOf(node.plane, 'job-name=count');
    expect(left.map(({ status }) => status?.phase)).toEqual(Array(4).fill('Succeeded'));
    expect(left.map(({ status }) => status?.containerStatuses?.[0]?.state?.terminated?.exitCode)).toEqual([
      0, 0, 0, 0,
    ]);
    await remove(jobs, 'count', 'job-name=count');
  });

  test('a Job that fails too often has failed', async () => {
    await client().create(jobs, job('broken', jobSpec('exit 3', { backoffLimit: 1 })));
    const failed = await eventually(async () => {
      const found = await find(jobs, 'broken');
      return hasCondition(found, 'Failed') && found;
    }, 60_000);
    expect(failed?.status?.failed).toBe(2);
    expect(failed?.status?.conditions?.find(({ type }) => type === 'Failed')?.reason).toBe(
      'BackoffLimitExceeded',
    );
    const left = await podsOf(node.plane, 'job-name=broken');
    expect(left.map(({ status }) => status?.phase)).toEqual(['Failed', 'Failed']);
    expect(left[0]?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(3);
    await remove(jobs, 'broken', 'job-name=broken');
  });

  test('a Job’s pod whose container fails in place is restarted, and counted', async () => {
    const script = 'test -e /state/once || { touch /state/once; exit 1; }';
    const spec = {
      restartPolicy: 'OnFailure',
      containers: [container('main', script, { volumeMounts: [{ name: 'state', mountPath: '/state' }] })],
      volumes: [{ name: 'state', emptyDir: {} }],
    };
    await client().create(jobs, job('again', { template: { spec } }));
    await eventually(async () => hasCondition(await find(jobs, 'again'), 'Complete'), 60_000);
    const [pod] = await podsOf(node.plane, 'job-name=again');
    expect(pod?.status?.containerStatuses?.[0]?.restartCount).toBe(1);
    await remove(jobs, 'again', 'job-name=again');
  });

  test('a StatefulSet’s pods come in order, keep their names, and are never there twice', async () => {
    const lock = await mkdtemp(join(tmpdir(), 'lock-'));
    // Whoever finds the lock taken ends with 99; the lock is given back two seconds after TERM.
    const script =
      'mkdir /lock/$HOSTNAME || exit 99; trap "sleep 2; rmdir /lock/$HOSTNAME; exit 0" TERM; sleep 100000 & wait';
    const pod = template(
      'db',
      [container('main', script, { volumeMounts: [{ name: 'lock', mountPath: '/lock' }] })],
      { volumes: [{ name: 'lock', hostPath: { path: lock } }] },
    );
    await client().create(statefulSets, appOf('StatefulSet', 'db', pod, { replicas: 2, serviceName: 'db' }));
    const { pod: second } = await node.waitForPod('db-1', (view) => isReadyPod(view.pod));
    const { pod: first } = await node.waitForPod('db-0', (view) => isReadyPod(view.pod));
    const readyAt = first.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
    expect(Date.parse(`${second.metadata?.creationTimestamp}`)).toBeGreaterThanOrEqual(
      Date.parse(`${readyAt}`),
    );
    const isNext = (before: Pod) => (view: { pod: Pod }) =>
      view.pod.metadata?.uid !== before.metadata?.uid && isReadyPod(view.pod);

    await node.deletePod('db-0');
    const { pod: next } = await node.waitForPod('db-0', isNext(first));
    expect(next.spec?.hostname).toBe('db-0');
    expect(next.status?.containerStatuses?.[0]?.restartCount).toBe(0);

    // While the agent is down nothing may confirm the end of the pod, which runs on.
    await node.agent.kill9();
    await node.deletePod('db-0');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect((await node.pod('db-0'))?.metadata?.uid).toBe(next.metadata?.uid);
    await node.agent.restart();
    const { pod: last } = await node.waitForPod('db-0', isNext(next));
    expect(last.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect((await node.pod('db-1'))?.metadata?.uid).toBe(second.metadata?.uid);
    await remove(statefulSets, 'db', 'app=db');
  });

  test('a DaemonSet’s pod that somebody calls Failed ends, and another comes', async () => {
    await client().create(daemonSets, appOf('DaemonSet', 'agent', template('agent', [container('main')])));
    const [first] = await eventually(async () => {
      const found = await podsOf(node.plane, 'app=agent');
      return found.length === 1 && found.every(isReadyPod) && found;
    }, 60_000);
    const name = first?.metadata?.name ?? '';
    const seen: (string | undefined)[] = [];
    const watch = client().watch<Pod>(pods, {
      namespace: 'default',
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: first?.metadata?.resourceVersion ?? '0',
    });
    await client().patch(pods, { name, subresource: 'status' }, { status: { phase: 'Failed' } }, 'merge');
    const second = await eventually(async () => {
      const found = await podsOf(node.plane, 'app=agent');
      return found.find((each) => each.metadata?.name !== name && isReadyPod(each));
    }, 60_000);
    await node.waitForGone(name);
    for (const { object } of watch.pending) seen.push(object.status?.phase);
    watch.close();
    expect(new Set(seen)).toEqual(new Set(['Failed']));
    expect(second.spec?.nodeName).toBe(node.nodeName);
    expect((await find(daemonSets, 'agent'))?.status?.numberReady).toBe(1);
    await remove(daemonSets, 'agent', 'app=agent');
  });

  test('a CronJob fires', async () => {
    const fired = await eventually(async () => {
      const { items } = await client().list<Controller>(jobs, { namespace: 'default' });
      return items.find((each) => hasCondition(each, 'Complete'));
    }, 75_000);
    expect(fired.metadata?.ownerReferences?.[0]).toMatchObject({ kind: 'CronJob', name: 'minutely' });
    await client().delete(cronJobs, { name: 'minutely' }, { propagationPolicy: 'Background' });
    await eventually(async () => (await podsOf(node.plane, 'job-name')).length === 0, 60_000);
  });
});

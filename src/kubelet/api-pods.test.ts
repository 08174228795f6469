import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiError } from '#lib/kube/api-error.ts';
import type { Pod } from '#lib/kube/types.ts';
import { ApiBed } from './testing/api-bed.ts';

const POD = 'pods/default/web';

describe('pods of the API server', () => {
  let bed: ApiBed;
  beforeEach(async () => {
    bed = new ApiBed();
    await bed.start();
  });
  afterEach(() => bed.dispose());

  const running = (name = 'web'): Promise<void> => bed.pods.runUntil(() => bed.phase(name) === 'Running');
  const gone = (name = 'web'): Promise<void> => bed.pods.runUntil(() => bed.api.pod(name) === undefined);

  test('a pod runs and its status is published', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    await bed.pods.until(() => bed.api.pod('web')?.status?.containerStatuses?.[0]?.ready === true);
    const status = bed.api.pod('web')?.status;
    expect(status).toMatchObject({ phase: 'Running', hostIP: '192.0.2.1', observedGeneration: 1 });
    expect(status?.podIPs).toEqual([{ ip: status?.podIP }]);
    const scheduled = status?.conditions?.find((each) => each.type === 'PodScheduled');
    expect(scheduled?.lastTransitionTime).toBe('2025-12-31T23:59:00Z');
    expect(bed.api.writes().every((each) => each === `patch ${POD}/status`)).toBe(true);
  });

  test('an edit reaches the running pod in place, and its generation is published', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    const before = bed.pods.changes();
    bed.edit('web', (pod) => {
      pod.metadata = { ...pod.metadata, labels: { tier: 'front' } };
      if (pod.spec) pod.spec.activeDeadlineSeconds = 5000;
    });
    await bed.pods.runUntil(() => bed.api.pod('web')?.status?.observedGeneration === 2);
    expect(bed.pods.changes()).toEqual(before);
    expect(bed.pods.workers.snapshots()[0]?.context.pod.metadata.labels).toEqual({ tier: 'front' });
    const generations = bed.api.pod('web')?.status?.conditions?.map((each) => each.observedGeneration);
    expect(new Set(generations)).toEqual(new Set([2]));
  });

  test('500 quick edits converge', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    for (let i = 0; i < 500; i++) {
      bed.edit('web', (pod) => {
        if (pod.spec) pod.spec.activeDeadlineSeconds = 100_000 - i;
      });
    }
    await bed.pods.runUntil(() => bed.api.pod('web')?.status?.observedGeneration === 501);
    expect(bed.api.writes().length).toBeLessThan(100);
  });

  test.each(['Always', 'Never'])(
    'an edited image restarts its container alone, with restartPolicy %s',
    async (restartPolicy) => {
      bed.create('web', { restartPolicy, containers: [{ name: 'a' }, { name: 'b' }] });
      await bed.pods.runUntil(() => bed.pods.running().length === 2);
      bed.edit('web', (pod) => {
        const first = pod.spec?.containers[0];
        if (first) first.image = 'img2';
      });
      await bed.pods.runUntil(() => bed.pods.running().join() === 'a#1,b#0');
      await bed.pods.runUntil(() => bed.api.pod('web')?.status?.containerStatuses?.[0]?.restartCount === 1);
    },
  );

  test('an edited image of a sidecar restarts it, and nothing else', async () => {
    bed.create('web', { initContainers: [{ name: 'side', restartPolicy: 'Always' }], containers: [{}] });
    await bed.pods.runUntil(() => bed.pods.running().length === 2);
    bed.edit('web', (pod) => {
      const first = pod.spec?.initContainers?.[0];
      if (first) first.image = 'img2';
    });
    await bed.pods.runUntil(() => bed.pods.running().join() === 'main#0,side#1');
    expect(bed.phase('web')).toBe('Running');
  });

  test('a deleted pod ends in the order that others rely on', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    await bed.pods.run(100);
    bed.log.length = 0;
    bed.pods.runtime.script.clear();
    const phases: string[] = [];
    const { before } = bed.api;
    bed.api.before = (call) => {
      if (call.verb === 'delete') phases.push(`read back ${bed.phase('web')}`);
      return before(call);
    };
    bed.remove('web');
    await gone();
    await bed.pods.runUntil(() => bed.pods.workers.snapshots().length === 0);
    const order = bed.log.filter((each, index) => each !== bed.log[index - 1]);
    expect(order.slice(0, 4)).toEqual([
      `patch ${POD}/status`,
      'remove volumes',
      'remove cgroup',
      `delete ${POD}`,
    ]);
    expect(phases).toEqual(['read back Failed']);
    expect(bed.api.calls.find(({ verb }) => verb === 'delete')?.body).toMatchObject({
      gracePeriodSeconds: 0,
      preconditions: { uid: expect.any(String) as string },
    });
    expect(bed.pods.changes().filter((each) => !each.startsWith('RemoveContainer'))).toEqual([
      'StopContainer main',
      'StopPodSandbox web',
      'RemovePodSandbox web',
    ]);
  });

  test('its own last word coming back does not begin the end anew', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    bed.log.length = 0;
    bed.onStep = async (step) => {
      // Long enough for the watch to bring the phase that was just written.
      if (step === 'remove volumes') await new Promise((resolve) => setTimeout(resolve, 50));
    };
    bed.remove('web');
    await gone();
    const before = bed.log.slice(0, bed.log.indexOf(`delete ${POD}`));
    expect(before.filter((each) => each === 'remove volumes')).toHaveLength(1);
  });

  test.each(['volumes', 'cgroup'])(
    'while the %s of a deleted pod can not go, its object stays',
    async (what) => {
      bed.create('web', { containers: [{}] });
      await running();
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      bed.onStep = (step) => (step === `remove ${what}` ? held : undefined);
      bed.remove('web');
      await bed.pods.runUntil(() => bed.phase('web') === 'Failed');
      await bed.pods.run(2000);
      expect(bed.api.pod('web')?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(143);
      release();
      await gone();
    },
  );

  test('the exit codes are published with the terminal phase, before the object goes', async () => {
    bed.pods.runtime.behave('main', { exitAfter: { ms: 1000, code: 0 } });
    bed.create('web', { restartPolicy: 'Always', containers: [{}, { name: 'stays' }] });
    await bed.pods.runUntil(() => bed.pods.running().length === 2);
    bed.remove('web');
    const last: unknown[] = [];
    const { before } = bed.api;
    bed.api.before = (call) => {
      if (call.verb === 'delete') last.push(bed.api.pod('web')?.status);
      return before(call);
    };
    await gone();
    expect(last[0]).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: {} } }, { state: { terminated: { exitCode: 143 } } }],
    });
  });

  test('a pod that is deleted before anything of it ran is finished, too', async () => {
    bed.pods.images.states.set('main', { kind: 'pulling', since: 0 });
    bed.create('web', { containers: [{}] });
    await bed.pods.run(1000);
    const statuses: unknown[] = [];
    const { before } = bed.api;
    bed.api.before = (call) => {
      if (call.verb === 'delete') statuses.push(bed.api.pod('web')?.status);
      return before(call);
    };
    bed.remove('web');
    await gone();
    expect(statuses[0]).toMatchObject({
      phase: 'Failed',
      containerStatuses: [
        { state: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } }, restartCount: 0 },
      ],
    });
  });

  test('one that the agent first sees when it is already deleted is never started', async () => {
    bed.kill();
    bed.create('web', { containers: [{}] });
    bed.remove('web');
    await bed.start();
    await gone();
    expect(bed.pods.changes()).toEqual([]);
  });

  test('no terminal phase is published while something runs', async () => {
    bed.pods.runtime.behave('side', { ignoresTerm: true });
    bed.pods.runtime.behave('main', { exitAfter: { ms: 1000, code: 0 } });
    bed.create('web', {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 20,
      initContainers: [{ name: 'side', restartPolicy: 'Always' }],
      containers: [{}],
    });
    await bed.pods.runUntil(() => bed.pods.running().length === 2);
    await bed.pods.run(10_000);
    expect(bed.pods.running()).toEqual(['side#0']);
    expect(bed.phase('web')).toBe('Running');
    await bed.pods.run(15_000);
    await bed.pods.runUntil(() => bed.phase('web') === 'Succeeded');
    expect(bed.pods.running()).toEqual([]);
  });

  test('a pod that ended by itself is kept until it is deleted, with no more writes', async () => {
    bed.pods.runtime.behave('main', { exitAfter: { ms: 1000, code: 0 } });
    bed.create('web', { restartPolicy: 'Never', containers: [{}] });
    await bed.pods.runUntil(() => bed.phase('web') === 'Succeeded');
    await bed.pods.run(1000);
    const writes = bed.api.writes().length;
    await bed.pods.run(300_000);
    expect(bed.api.writes().length).toBe(writes);
    expect(bed.pods.runtime.machine.containers.size).toBe(1);
    bed.remove('web');
    await bed.pods.runUntil(() => bed.pods.runtime.machine.sandboxes.size === 0);
  });

  test('a shorter grace period cuts the wait, a longer one changes nothing', async () => {
    bed.pods.runtime.behave('main', { ignoresTerm: true });
    bed.create('web', { terminationGracePeriodSeconds: 600, containers: [{}] });
    await running();
    bed.remove('web');
    await bed.pods.run(60_000);
    expect(bed.pods.running()).toEqual(['main#0']);
    bed.remove('web', 10);
    await bed.pods.run(5000);
    expect(bed.pods.running()).toEqual(['main#0']);
    bed.remove('web', 5000);
    await bed.pods.run(8000);
    await gone();
  });

  test('a pod whose object is removed by force is ended without a word', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    await bed.pods.run(1000);
    const writes = bed.api.writes().length;
    bed.remove('web', 0);
    await bed.pods.runUntil(() => bed.pods.runtime.machine.sandboxes.size === 0);
    expect(bed.api.writes().length).toBe(writes);
    await bed.pods.runUntil(() => bed.pods.workers.snapshots().length === 0);
  });

  test('removed by force and created again: the new one waits until nothing of the old one runs', async () => {
    bed.pods.runtime.behave('main', { ignoresTerm: true });
    bed.create('web', { terminationGracePeriodSeconds: 20, containers: [{}] });
    await running();
    bed.remove('web', 0);
    const second = bed.create('web', { containers: [{}] });
    await bed.pods.run(10_000);
    expect(bed.pods.runtime.machine.sandboxes.size).toBe(1);
    await bed.pods.run(15_000);
    await running();
    expect([...bed.pods.runtime.machine.sandboxes.values()].at(-1)?.config.metadata.uid).toBe(
      second.metadata?.uid,
    );
  });

  test('while the agent was down: gone pods end once the API server was seen, and not before', async () => {
    bed.create('web', { terminationGracePeriodSeconds: 1, containers: [{}] });
    await running();
    bed.kill();
    bed.remove('web', 0);
    await bed.start({ synced: false });
    await bed.pods.run(120_000);
    expect(bed.pods.running()).toEqual(['main#0']);
    bed.agent.informer.sync();
    await bed.pods.run(1000);
    await bed.pods.runUntil(() => bed.pods.runtime.machine.sandboxes.size === 0);
  });

  test('a pod of the same name takes its turn also where the old one ended while the agent was down', async () => {
    bed.pods.runtime.behave('main', { ignoresTerm: true });
    bed.create('web', { terminationGracePeriodSeconds: 10, containers: [{}] });
    await running();
    bed.kill();
    bed.remove('web', 0);
    bed.create('web', { containers: [{}] });
    await bed.start();
    await bed.pods.run(3000);
    expect(bed.pods.running()).toEqual(['main#0']);
    await bed.pods.run(10_000);
    await running();
    expect(bed.pods.running()).toEqual(['main#0']);
  });

  test('a phase that somebody else sets ends the pod and stays', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    bed.edit('web', (pod) => {
      pod.status = { ...pod.status, phase: 'Failed', reason: 'Because', message: 'of a test' };
    });
    await bed.pods.runUntil(() => bed.pods.running().length === 0);
    await bed.pods.run(60_000);
    expect(bed.api.pod('web')?.status).toMatchObject({
      phase: 'Failed',
      reason: 'Because',
      message: 'of a test',
      containerStatuses: [{ state: { terminated: { exitCode: 143 } } }],
    });
    const ready = bed.api.pod('web')?.status?.conditions?.find((each) => each.type === 'Ready');
    expect(ready).toMatchObject({ status: 'False', reason: 'PodFailed' });
    bed.remove('web');
    await bed.pods.runUntil(() => bed.pods.workers.snapshots().length === 0);
  });

  test('a terminal pod of which nothing is here is not run; deleted with a finalizer it is finished', async () => {
    bed.kill();
    bed.create('web', { containers: [{}] });
    bed.edit('web', (pod) => {
      pod.status = { ...pod.status, phase: 'Failed' };
    });
    await bed.start();
    await bed.pods.run(5000);
    expect(bed.pods.changes()).toEqual([]);
    expect(bed.api.writes()).toEqual([]);
    bed.edit('web', (pod) => {
      Object.assign(pod.metadata ?? {}, {
        deletionTimestamp: '2026-01-01T00:01:00Z',
        deletionGracePeriodSeconds: 1,
      });
    });
    await gone();
  });

  test.each([
    ['no answer', new ApiError({ status: 0, reason: '', message: 'refused' })],
    ['a server error', new ApiError({ status: 500, reason: 'InternalError', message: 'etcd' })],
    ['a conflict', new ApiError({ status: 409, reason: 'Conflict', message: 'try again' })],
    ['a refusal', new ApiError({ status: 403, reason: 'Forbidden', message: 'no' })],
  ])('a status write that meets %s is made again', async (_, error) => {
    bed.create('web', { containers: [{}] });
    for (let i = 0; i < 4; i++) bed.api.failNext('patch', error);
    await bed.pods.run(500);
    const [snapshot] = bed.pods.workers.snapshots();
    expect(bed.agent.statuses.waits(snapshot?.context.pod.metadata.uid ?? '')[0]?.reason).toBe(
      'StatusNotWritten',
    );
    await running();
    expect(bed.agent.statuses.troubled).toBe(0);
  });

  test('Retry-After is honoured', async () => {
    bed.api.failNext(
      'patch',
      new ApiError({ status: 429, reason: 'TooManyRequests', message: '', retryAfterMs: 9000 }),
    );
    bed.create('web', { containers: [{}] });
    await bed.pods.run(8500);
    expect(bed.api.writes()).toHaveLength(1);
    await bed.pods.run(1000);
    await running();
  });

  test('Retry-After is honoured also where the status has changed during the call', async () => {
    bed.api.failNext(
      'patch',
      new ApiError({ status: 429, reason: 'TooManyRequests', message: '', retryAfterMs: 9000 }),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    bed.api.before = ({ verb }) => (verb === 'patch' ? promise : undefined);
    bed.create('web', { containers: [{}] });
    await bed.pods.runUntil(() => bed.pods.running().length === 1);
    await bed.pods.run(1000);
    expect(bed.api.writes()).toHaveLength(1);
    resolve();
    await bed.pods.run(8500);
    expect(bed.api.writes()).toHaveLength(1);
    await bed.pods.run(1000);
    await running();
  });

  test('the final DELETE is made again until the server takes it', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    bed.api.failNext('delete', new ApiError({ status: 0, reason: '', message: 'refused' }));
    bed.remove('web');
    await gone();
    expect(bed.api.calls.filter(({ verb }) => verb === 'delete')).toHaveLength(2);
  });

  test('a new agent writes nothing where nothing has changed', async () => {
    bed.pods.runtime.behave('job', { exitAfter: { ms: 1000, code: 3 } });
    bed.pods.runtime.behave('crash', { exitAfter: { ms: 1000, code: 1 } });
    bed.create('web', { initContainers: [{ name: 'side', restartPolicy: 'Always' }], containers: [{}] });
    bed.create('done', { restartPolicy: 'Never', containers: [{ name: 'job' }] });
    bed.create('loop', { containers: [{ name: 'crash' }] });
    await running();
    await bed.pods.runUntil(() => bed.phase('done') === 'Failed');
    // Half way through a back-off of 40 s.
    await bed.pods.run(50_000);
    const writes = bed.api.writes().length;
    const before = bed.api.pod('web')?.status;
    await bed.start();
    await bed.pods.run(5000);
    expect(bed.api.writes().slice(writes)).toEqual([]);
    expect(bed.api.pod('web')?.status).toEqual(before);
  });

  test('with the server away pods run on and restart, and all is published when it is back', async () => {
    bed.pods.runtime.behave('main', (attempt) =>
      attempt === 0 ? { exitAfter: { ms: 60_000, code: 1 } } : {},
    );
    bed.create('web', { containers: [{}] });
    await running();
    bed.api.isDown = true;
    await bed.pods.run(90_000);
    expect(bed.pods.running()).toEqual(['main#1']);
    expect(bed.agent.statuses.troubled).toBe(1);
    bed.api.isDown = false;
    await bed.pods.run(6000);
    expect(bed.api.pod('web')?.status?.containerStatuses?.[0]?.restartCount).toBe(1);
  });

  test('a readiness gate is part of Ready', async () => {
    bed.create('web', { readinessGates: [{ conditionType: 'example.com/lb' }], containers: [{}] });
    await running();
    const ready = (): unknown =>
      bed.api.pod('web')?.status?.conditions?.find((each) => each.type === 'Ready');
    await bed.pods.until(() => bed.api.pod('web')?.status?.containerStatuses?.[0]?.ready === true);
    expect(ready()).toMatchObject({ status: 'False', reason: 'ReadinessGatesNotReady' });
    bed.edit('web', (pod) => {
      pod.status?.conditions?.push({ type: 'example.com/lb', status: 'True' });
    });
    await bed.pods.runUntil(() => (ready() as { status?: string }).status === 'True');
    expect(bed.api.pod('web')?.status?.conditions?.some((each) => each.type === 'example.com/lb')).toBe(true);
  });

  test('a pod fails at the deadline that its spec sets, also one that an edit sets', async () => {
    bed.create('web', { activeDeadlineSeconds: 100, containers: [{}] });
    bed.create('late', { containers: [{ name: 'other' }] });
    await running();
    await bed.pods.run(98_000);
    expect(bed.phase('web')).toBe('Running');
    await bed.pods.run(2000);
    await bed.pods.runUntil(() => bed.phase('web') === 'Failed');
    expect(bed.api.pod('web')?.status).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    bed.edit('late', (pod) => {
      if (pod.spec) pod.spec.activeDeadlineSeconds = 1;
    });
    await bed.pods.runUntil(() => bed.phase('late') === 'Failed');
  });

  test('a container that ran once is not run again where record and runtime have lost it', async () => {
    bed.create('web', { restartPolicy: 'Never', containers: [{}] });
    await running();
    bed.kill();
    const { machine } = bed.pods.runtime;
    machine.containers.clear();
    machine.sandboxes.clear();
    bed.pods.forgetRecords();
    await bed.start();
    await bed.pods.runUntil(() => bed.phase('web') === 'Failed');
    expect(bed.api.pod('web')?.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
    });
    expect(bed.pods.running()).toEqual([]);
  });

  test('a status is never written to another pod of the name', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    await bed.pods.run(1000);
    bed.api.watchesStall = true;
    bed.remove('web', 0);
    const second = bed.create('web', { containers: [{ name: 'other' }] });
    const [uid = ''] = bed.pods.workers.uids();
    const container = [...bed.pods.runtime.machine.containers.values()][0];
    if (container) bed.pods.runtime.machine.exit(container, 3, 'Error');
    bed.pods.workers.markDirty(uid);
    await bed.pods.run(3000);
    expect(bed.agent.statuses.waits(uid)).toHaveLength(1);
    expect(bed.api.pod('web')?.status).toEqual(second.status);
    bed.api.catchUp();
    await bed.pods.runUntil(() => bed.api.pod('web')?.status?.containerStatuses?.[0]?.name === 'other');
    await bed.pods.runUntil(() => bed.phase('web') === 'Running');
  });

  test('what the watch has not told yet is not written again', async () => {
    bed.pods.runtime.behave('main', (attempt) => (attempt < 2 ? { exitAfter: { ms: 1000, code: 1 } } : {}));
    bed.create('web', { containers: [{}] });
    await running();
    bed.api.watchesStall = true;
    await bed.pods.run(30_000);
    expect(bed.api.pod('web')?.status?.containerStatuses?.[0]?.restartCount).toBe(2);
    const bodies = bed.api.calls
      .filter(({ verb }) => verb === 'patch')
      .map(({ body }) => JSON.stringify(body));
    expect(new Set(bodies).size).toBe(bodies.length);
    const writes = bed.api.writes().length;
    bed.api.catchUp();
    await bed.pods.run(5000);
    expect(bed.api.writes().length).toBe(writes);
  });

  test('no published status of a pod whose init container keeps failing says more than there is', async () => {
    bed.pods.runtime.behave('init1', { exitAfter: { ms: 100, code: 1 } });
    bed.create('web', { initContainers: [{ name: 'init1' }, { name: 'init2' }], containers: [{}] });
    await bed.pods.run(200_000);
    const seen = bed.api.calls
      .filter(({ verb }) => verb === 'patch')
      .map(({ body }) => (body as Pod).status ?? {});
    const init = seen
      .flatMap(({ initContainerStatuses = [] }) => [initContainerStatuses])
      .filter(({ length }) => length > 0);
    for (const [first, second] of init) {
      expect(first?.state?.terminated?.exitCode).not.toBe(0);
      expect(second?.state).toEqual({ waiting: { reason: 'PodInitializing' } });
    }
    for (const { containerStatuses = [], phase = 'Pending' } of seen) {
      expect(phase).toBe('Pending');
      for (const each of containerStatuses)
        expect(each.state).toEqual({ waiting: { reason: 'PodInitializing' } });
    }
    expect(bed.api.pod('web')?.status?.initContainerStatuses?.[0]).toMatchObject({
      restartCount: expect.toSatisfy((count: number) => count >= 3) as number,
      lastState: { terminated: { exitCode: 1 } },
    });
    const initialized = bed.api.pod('web')?.status?.conditions?.find((each) => each.type === 'Initialized');
    expect(initialized).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [init1 init2]',
    });
  });

  test('a pod that the node ends says why, with the condition that Jobs look at', async () => {
    bed.create('web', { containers: [{}] });
    await running();
    const message = 'The node was low on resource: memory.';
    bed.pods.runtime.script.clear();
    bed.pods.workers.fail(bed.api.pod('web')?.metadata?.uid ?? '', {
      reason: 'Evicted',
      message,
      disruption: { message },
      gracePeriodSeconds: 0,
    });
    await bed.pods.runUntil(() => bed.phase('web') === 'Failed');
    const { status } = bed.api.pod('web') ?? {};
    expect(status).toMatchObject({ reason: 'Evicted', message });
    expect(status?.conditions?.find((each) => each.type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'TerminationByKubelet',
      message,
    });
    expect(bed.pods.runtime.script.calls.find(({ verb }) => verb === 'StopContainer')?.args[1]).toBe(2);
    await bed.start();
    await bed.pods.run(2000);
    expect(bed.api.pod('web')?.status).toEqual(status);
  });

  test('after a reboot without API server pods stay down, or come back where that is asked for', async () => {
    bed.pods.runtime.behave('job', { exitAfter: { ms: 100, code: 0 } });
    bed.pods.runtime.behave('ends', { ignoresTerm: true });
    bed.create('web', { containers: [{}] });
    bed.create('done', { restartPolicy: 'Never', containers: [{ name: 'job' }] });
    bed.create('db', {
      containers: [{ name: 'db' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'x' } }],
    });
    bed.create('leaving', { containers: [{ name: 'ends' }] });
    await bed.pods.runUntil(() => bed.phase('done') === 'Succeeded' && bed.pods.running().length === 3);
    bed.remove('leaving');
    await bed.pods.run(100);
    bed.kill();
    await bed.pods.run(0);
    bed.pods.runtime.reboot();
    bed.api.isDown = true;
    await bed.start({ synced: false });
    await bed.pods.run(120_000);
    expect(bed.pods.running()).toEqual([]);
    await bed.start({ synced: false, offline: { afterMs: 10_000, stateful: false } });
    await bed.pods.run(9000);
    expect(bed.pods.running()).toEqual([]);
    await bed.pods.run(5000);
    expect(bed.pods.running()).toEqual(['main#1']);
    // Nothing that isn't known to be wanted was touched.
    expect(bed.pods.changes().filter((each) => each.startsWith('Remove'))).toEqual([]);
    bed.api.isDown = false;
    bed.agent.informer.sync();
    await bed.pods.runUntil(() => bed.pods.running().join() === 'db#1,main#1');
    await gone('leaving');
    expect(bed.phase('done')).toBe('Succeeded');
  });
});

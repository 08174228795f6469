import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PodBed, makePod } from './testing/pod-bed.ts';

describe('PodWorkers', () => {
  let bed: PodBed;
  beforeEach(() => {
    bed = new PodBed();
  });
  afterEach(async () => {
    await bed.workers.stop();
    bed.dispose();
  });

  test('runs a pod with containers in the order of the spec', async () => {
    bed.workers.setDesired([makePod('web', { containers: [{ name: 'a' }, { name: 'b' }] })]);
    await bed.until(() => bed.status('web')?.phase === 'Running');
    expect(bed.changes()).toEqual([
      'RunPodSandbox web',
      'CreateContainer a',
      'StartContainer a',
      'CreateContainer b',
      'StartContainer b',
    ]);
    expect(bed.status('web')).toMatchObject({
      phase: 'Running',
      qosClass: 'BestEffort',
      hostIP: '192.0.2.1',
      startTime: '2026-01-01T00:00:00Z',
      containerStatuses: [
        { name: 'a', ready: true, started: true, restartCount: 0 },
        { name: 'b', ready: true, started: true, restartCount: 0 },
      ],
    });
    expect(bed.status('web')?.podIP).toMatch(/^\d/);
    expect(bed.status('web')?.conditions?.map((each) => `${each.type}=${each.status}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ]);
    expect(bed.reasons()).toEqual(['Created', 'Started', 'Created', 'Started']);
  });

  test('an idle pod costs nothing', async () => {
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    await bed.until(() => bed.status('web')?.phase === 'Running');
    await bed.run(1000);
    const before = bed.runtime.script.calls.length;
    await bed.run(600_000);
    expect(bed.runtime.script.calls.length).toBe(before);
  });

  test('restarts a crashing container at once, then after 10, 20, 40 … 300 seconds', async () => {
    bed.runtime.behave('main', { exitAfter: { ms: 1000, code: 3 } });
    bed.workers.setDesired([makePod('crash', { containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    const start = bed.clock.now();
    await bed.run(1_800_000);
    const starts = [...bed.runtime.machine.containers.values()].map((each) =>
      Math.round((each.startedAt - start) / 1000),
    );
    const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0) - 1);
    // One second of running between each; a few seconds of slack where the last one is cut off.
    expect(gaps.slice(0, 8)).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    expect(bed.container('crash')).toMatchObject({
      restartCount: starts.length - 1,
      state: {
        waiting: {
          reason: 'CrashLoopBackOff',
          message: 'back-off 5m0s restarting failed container=main pod=crash_default(uid-crash)',
        },
      },
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    expect(bed.status('crash')?.phase).toBe('Running');
    expect(bed.reasons()).toContain('BackOff');
  });

  test('a container that ran for more than ten minutes starts at once again', async () => {
    bed.runtime.behave('main', (attempt) => ({ exitAfter: { ms: attempt === 2 ? 700_000 : 1000, code: 1 } }));
    bed.workers.setDesired([makePod('crash', { containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    await bed.run(730_000);
    const [, , third, fourth] = [...bed.runtime.machine.containers.values()];
    expect(third?.state).toBe('CONTAINER_EXITED');
    expect((fourth?.startedAt ?? 0) - (third?.finishedAt ?? 0)).toBeLessThan(1000);
  });

  test.each([
    ['Never', 0, 'Succeeded'],
    ['Never', 7, 'Failed'],
    ['OnFailure', 0, 'Succeeded'],
  ] as const)('restartPolicy %s with exit code %i ends %s, once', async (restartPolicy, code, phase) => {
    bed.runtime.behave('main', { exitAfter: { ms: 100, code } });
    bed.workers.setDesired([makePod('job', { restartPolicy, containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    await bed.run(2000);
    await bed.runUntil(() => bed.status('job')?.phase === phase && !bed.mounted.has('uid-job'));
    expect(bed.cgroups.size).toBe(0);
    expect([...bed.runtime.machine.sandboxes.values()].map((each) => each.state)).toEqual([
      'SANDBOX_NOTREADY',
    ]);
    // Also for an agent that starts later, and when the runtime has forgotten the container.
    bed.restartAgent();
    for (const id of bed.runtime.machine.containers.keys()) await bed.runtime.removeContainer(id);
    bed.workers.setDesired([makePod('job', { restartPolicy, containers: [{}] })]);
    await bed.until(() => bed.status('job')?.phase === phase);
    await bed.run(1000);
    expect(bed.container('job')?.state?.terminated?.exitCode).toBe(code);
    expect(bed.changes().filter((each) => each.startsWith('StartContainer'))).toHaveLength(1);
  });

  test('OnFailure restarts after a failure and not after success', async () => {
    bed.runtime.behave('main', (attempt) => ({ exitAfter: { ms: 100, code: attempt === 0 ? 1 : 0 } }));
    bed.workers.setDesired([makePod('job', { restartPolicy: 'OnFailure', containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    await bed.run(5000);
    await bed.runUntil(() => bed.status('job')?.phase === 'Succeeded');
    expect(bed.container('job')?.restartCount).toBe(1);
  });

  test('init containers run in order, each to its end, before the app', async () => {
    bed.runtime.behave('one', { exitAfter: { ms: 1000, code: 0 } });
    bed.runtime.behave('two', (attempt) => ({ exitAfter: { ms: 1000, code: attempt === 0 ? 1 : 0 } }));
    bed.workers.setDesired([
      makePod('app', { initContainers: [{ name: 'one' }, { name: 'two' }], containers: [{}] }),
    ]);
    await bed.until(() => bed.running().includes('one#0'));
    expect(bed.container('app')?.state?.waiting?.reason).toBe('PodInitializing');
    expect(bed.status('app')).toMatchObject({ phase: 'Pending' });
    expect(bed.status('app')?.conditions?.find((each) => each.type === 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [one two]',
    });
    await bed.run(10_000);
    await bed.runUntil(() => bed.running().includes('main#0'));
    expect(bed.container('app', 'two')).toMatchObject({
      restartCount: 1,
      ready: true,
      state: { terminated: { exitCode: 0 } },
    });
    expect(bed.status('app')?.phase).toBe('Running');
  });

  test('an init container that fails under restartPolicy Never fails the pod', async () => {
    bed.runtime.behave('one', { exitAfter: { ms: 100, code: 2 } });
    bed.workers.setDesired([
      makePod('app', { restartPolicy: 'Never', initContainers: [{ name: 'one' }], containers: [{}] }),
    ]);
    await bed.until(() => bed.running().length === 1);
    await bed.run(1000);
    await bed.runUntil(() => bed.status('app')?.phase === 'Failed');
    expect(bed.container('app')?.state?.waiting?.reason).toBe('PodInitializing');
    expect(bed.running()).toEqual([]);
  });

  test('sidecars start in their turn, are restarted, and end last', async () => {
    bed.runtime.behave('side', (attempt) => (attempt === 0 ? { exitAfter: { ms: 5000, code: 1 } } : {}));
    bed.runtime.behave('init', { exitAfter: { ms: 1000, code: 0 } });
    const pod = makePod('app', {
      initContainers: [
        { name: 'side', restartPolicy: 'Always' },
        { name: 'init' },
        { name: 'side2', restartPolicy: 'Always' },
      ],
      containers: [{}],
    });
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().includes('init#0'));
    expect(bed.running()).toEqual(['init#0', 'side#0']);
    await bed.run(2000);
    await bed.runUntil(() => bed.running().includes('main#0'));
    await bed.run(6000);
    await bed.runUntil(() => bed.running().includes('side#1'));
    bed.runtime.script.clear();
    bed.workers.setDesired([]);
    await bed.until(() => bed.workers.snapshots().length === 0);
    expect(bed.changes().filter((each) => each.startsWith('StopContainer'))).toEqual([
      'StopContainer main',
      'StopContainer side2',
      'StopContainer side',
    ]);
  });

  test('sidecars are ended when the app is done for good', async () => {
    bed.runtime.behave('main', { exitAfter: { ms: 1000, code: 0 } });
    bed.workers.setDesired([
      makePod('job', {
        restartPolicy: 'Never',
        initContainers: [{ name: 'side', restartPolicy: 'Always' }],
        containers: [{}],
      }),
    ]);
    await bed.until(() => bed.running().includes('main#0'));
    await bed.run(2000);
    await bed.runUntil(() => bed.running().length === 0);
    await bed.until(() => bed.status('job')?.phase === 'Succeeded');
  });

  test('a removed pod is ended with its grace period and leaves nothing', async () => {
    bed.runtime.behave('main', { ignoresTerm: true });
    bed.workers.setDesired([makePod('web', { terminationGracePeriodSeconds: 5, containers: [{}] })]);
    await bed.until(() => bed.status('web')?.phase === 'Running');
    bed.workers.setDesired([]);
    await bed.run(3000);
    expect(bed.running()).toEqual(['main#0']);
    await bed.run(3000);
    await bed.runUntil(() => bed.workers.snapshots().length === 0);
    expect(bed.runtime.machine.sandboxes.size).toBe(0);
    expect(bed.runtime.machine.containers.size).toBe(0);
    expect([bed.cgroups.size, bed.mounted.size]).toEqual([0, 0]);
    expect(bed.reasons()).toContain('Killing');
  });

  test('a shorter grace period cuts a termination under way short', async () => {
    bed.runtime.behave('main', { ignoresTerm: true });
    bed.workers.setDesired([makePod('web', { terminationGracePeriodSeconds: 3600, containers: [{}] })]);
    await bed.until(() => bed.status('web')?.phase === 'Running');
    bed.workers.setDesired([]);
    await bed.run(5000);
    expect(bed.running()).toEqual(['main#0']);
    bed.workers.end('uid-web', { gracePeriodSeconds: 0, forget: true });
    await bed.run(3000);
    await bed.runUntil(() => bed.workers.snapshots().length === 0);
  });

  test('a sandbox that can not be removed is tried again ever more rarely', async () => {
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    for (let i = 0; i < 4; i++) bed.runtime.script.failNext('RemovePodSandbox', 'UNKNOWN', 'cannot delete');
    bed.workers.setDesired([]);
    await bed.run(7500);
    const removals = (): number => bed.changes().filter((each) => each.startsWith('RemovePodSandbox')).length;
    // At once, then after 1, 2, 4 and 8 seconds.
    expect(removals()).toBe(4);
    await bed.runUntil(() => bed.workers.snapshots().length === 0);
    expect(removals()).toBe(5);
  });

  test('pods of one name take turns', async () => {
    bed.runtime.behave('main', { ignoresTerm: true });
    bed.workers.setDesired([makePod('web', { terminationGracePeriodSeconds: 10, containers: [{}] }, 'v1')]);
    await bed.until(() => bed.running().length === 1);
    bed.workers.setDesired([makePod('web', { containers: [{ image: 'img2' }] }, 'v2')]);
    await bed.run(5000);
    expect(bed.runtime.machine.sandboxes.size).toBe(1);
    expect(
      bed.workers.snapshots().find(({ context }) => context.pod.metadata.uid === 'v2')?.waits[0]?.reason,
    ).toBe('NameInUse');
    await bed.run(8000);
    await bed.runUntil(
      () => bed.status('web')?.phase === 'Running' && bed.runtime.machine.sandboxes.size === 1,
    );
    expect([...bed.runtime.machine.sandboxes.values()][0]?.config.metadata.uid).toBe('v2');
  });

  test('a pod that is removed and comes back while it ends starts anew', async () => {
    bed.runtime.behave('main', { ignoresTerm: true });
    const pod = makePod('web', { terminationGracePeriodSeconds: 4, containers: [{}] });
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().length === 1);
    bed.workers.setDesired([]);
    await bed.run(1000);
    bed.workers.setDesired([pod]);
    await bed.run(5000);
    await bed.runUntil(
      () => bed.status('web')?.phase === 'Running' && bed.container('web')?.restartCount === 0,
    );
  });

  test('an edited pod under a fixed UID takes the place of its older self, also across a restart', async () => {
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    bed.workers.setDesired([makePod('web', { containers: [{ env: [{ name: 'A', value: '2' }] }] })]);
    await bed.until(
      () => bed.runtime.newest('main')?.config.envs[0]?.value === '2' && bed.running().length === 1,
    );
    expect(bed.runtime.machine.sandboxes.size).toBe(1);
    bed.restartAgent();
    bed.workers.setDesired([makePod('web', { containers: [{ env: [{ name: 'A', value: '3' }] }] })]);
    await bed.until(
      () => bed.runtime.newest('main')?.config.envs[0]?.value === '3' && bed.running().length === 1,
    );
    expect(bed.container('web')?.restartCount).toBe(0);
  });

  test('a lost sandbox restarts everything in a new one', async () => {
    bed.runtime.behave('init', { exitAfter: { ms: 10, code: 0 } });
    bed.workers.setDesired([makePod('web', { initContainers: [{ name: 'init' }], containers: [{}] })]);
    await bed.until(() => bed.running().length === 1);
    await bed.run(1000);
    await bed.runUntil(() => bed.running().includes('main#0'));
    const [sandbox] = bed.runtime.machine.sandboxes.keys();
    bed.runtime.killSandbox(sandbox ?? '');
    bed.workers.markDirty('uid-web');
    await bed.run(1000);
    await bed.runUntil(() => bed.running().includes('main#1'));
    expect(bed.container('web', 'init')?.restartCount).toBe(1);
    expect([...bed.runtime.machine.sandboxes.values()].map((each) => each.config.metadata.attempt)).toEqual([
      0, 1,
    ]);
  });

  test('after a reboot everything comes up again, and what ran once stays done', async () => {
    bed.workers.setDesired([
      makePod('web', { containers: [{}] }),
      makePod('once', { restartPolicy: 'Never', containers: [{ name: 'job' }] }),
    ]);
    await bed.until(() => bed.running().length === 2);
    await bed.until(() => bed.status('once')?.phase === 'Running');
    bed.killAgent();
    await bed.run(0);
    bed.runtime.reboot();
    bed.restartAgent();
    bed.workers.setDesired([
      makePod('web', { containers: [{}] }),
      makePod('once', { restartPolicy: 'Never', containers: [{ name: 'job' }] }),
    ]);
    await bed.until(() => bed.running().includes('main#1'));
    await bed.until(() => bed.status('once')?.phase === 'Failed');
    expect(bed.running()).toEqual(['main#1']);
  });

  test('a new agent takes over what runs without touching it', async () => {
    const pods = [
      makePod('a', { containers: [{}] }),
      makePod('b', { initContainers: [{ name: 'side', restartPolicy: 'Always' }], containers: [{}] }),
    ];
    bed.workers.setDesired(pods);
    await bed.until(() => bed.running().length === 3);
    const before = bed.changes().length;
    bed.restartAgent();
    bed.workers.setDesired(pods);
    await bed.until(() => bed.status('a')?.phase === 'Running' && bed.status('b')?.phase === 'Running');
    await bed.run(2000);
    expect(bed.changes().length).toBe(before);
    expect(bed.container('a')?.restartCount).toBe(0);
  });

  test('before a container starts again, whatever else runs under the ID of its last instance goes', async () => {
    bed.runtime.behave('main', { exitAfter: { ms: 1000, code: 1 } });
    bed.workers.setDesired([makePod('web', { containers: [{}, { name: 'other' }] })]);
    await bed.until(() => bed.running().length === 2);
    const id = (name: string): string =>
      [...bed.runtime.machine.containers.values()].find((each) => each.config.metadata.name === name)?.id ??
      '';
    bed.strays.clear();
    await bed.run(1500);
    await bed.runUntil(() => bed.running().includes('main#1'));
    const spares = bed.strays.get('uid-web');
    expect([id('main'), id('other'), 'unheard of'].map((each) => spares?.(each))).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('containers that start in one round are no strays to each other', async () => {
    bed.workers.setDesired([makePod('web', { containers: [{ name: 'a' }, { name: 'b' }] })]);
    await bed.until(() => bed.running().length === 2);
    bed.runtime.reboot();
    bed.workers.markDirty('uid-web');
    await bed.until(() => bed.running().join() === 'a#1,b#1');
    const spares = bed.strays.get('uid-web');
    expect(spares?.(bed.runtime.newest('a')?.id ?? '')).toBe(true);
  });

  test('a pod that has ended shows its address also to a new agent', async () => {
    bed.runtime.behave('main', { exitAfter: { ms: 1000, code: 0 } });
    const pod = makePod('job', { restartPolicy: 'Never', containers: [{}] });
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.running().length === 1);
    const ip = bed.status('job')?.podIP;
    expect(ip).toBeDefined();
    await bed.run(2000);
    bed.workers.markDirty('uid-job');
    await bed.until(() => bed.status('job')?.phase === 'Succeeded');
    bed.restartAgent();
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.status('job')?.phase === 'Succeeded');
    expect(bed.status('job')?.podIP).toBe(ip);
  });

  test('a container that an agent created and did not start is started, not made twice', async () => {
    const pod = makePod('web', { containers: [{}] });
    bed.runtime.script.failNext('StartContainer', 'UNAVAILABLE', 'gone');
    const hold = bed.runtime.script.hang('StartContainer');
    bed.workers.setDesired([pod]);
    await bed.until(() => hold.waiting === 1);
    bed.restartAgent();
    hold.release();
    bed.workers.setDesired([pod]);
    await bed.until(() => bed.status('web')?.phase === 'Running');
    expect(bed.changes().filter((each) => each.startsWith('CreateContainer'))).toHaveLength(1);
  });

  test('a sandbox that can not be made is tried again with a reason', async () => {
    bed.runtime.script.failNext('RunPodSandbox', 'UNKNOWN', 'no network');
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    await bed.until(() => bed.reasons().includes('FailedCreatePodSandBox'));
    expect(bed.workers.snapshots()[0]?.waits[0]).toMatchObject({
      subject: 'sandbox',
      reason: 'FailedCreatePodSandBox',
    });
    await bed.run(1500);
    await bed.runUntil(() => bed.status('web')?.phase === 'Running');
  });

  test('one container that can not be created does not hold up the next', async () => {
    bed.runtime.script.failNext('CreateContainer', 'UNKNOWN', 'no such mount');
    bed.workers.setDesired([makePod('web', { containers: [{ name: 'bad' }, { name: 'good' }] })]);
    await bed.until(() => bed.running().includes('good#0'));
    await bed.until(() => bed.container('web', 'bad')?.state?.waiting?.reason === 'CreateContainerError');
    expect(bed.container('web', 'bad')?.state?.waiting?.message).toContain('no such mount');
    await bed.run(2000);
    await bed.runUntil(() => bed.running().includes('bad#0'));
  });

  test('a start error shows RunContainerError and backs off', async () => {
    bed.runtime.behave('main', { startError: 'exec: "nope": not found' });
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    await bed.until(
      () =>
        bed.container('web')?.state?.waiting?.reason === 'CrashLoopBackOff' ||
        bed.container('web')?.state?.waiting?.reason === 'RunContainerError',
    );
    await bed.run(5000);
    expect(bed.runtime.machine.containers.size).toBeLessThanOrEqual(2);
    expect(bed.events.list().map((each) => each.message)).toContainEqual(
      expect.stringContaining('"nope": not found'),
    );
  });

  test('a failed image does not hold up other containers, one on its way does', async () => {
    bed.images.states.set('slow', { kind: 'pulling', since: bed.clock.now() });
    bed.workers.setDesired([
      makePod('web', { containers: [{ name: 'first' }, { name: 'slow' }, { name: 'last' }] }),
    ]);
    await bed.until(() => bed.running().includes('first#0'));
    await bed.run(1000);
    expect(bed.running()).toEqual(['first#0']);
    bed.images.states.set('slow', {
      kind: 'failed',
      reason: 'ImagePullBackOff',
      message: 'Back-off pulling',
      retryAt: bed.clock.now() + 10_000,
    });
    bed.workers.markDirty('uid-web');
    await bed.until(() => bed.running().includes('last#0'));
    expect(bed.container('web', 'slow')?.state?.waiting?.reason).toBe('ImagePullBackOff');
    expect(bed.status('web')?.phase).toBe('Pending');
  });

  test('a volume that can not be mounted is tried again with a reason', async () => {
    bed.volumeFailure = new Error('volume data: /srv/x is not a directory');
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    await bed.until(() => bed.reasons().includes('FailedMount'));
    expect(bed.running()).toEqual([]);
    bed.volumeFailure = undefined;
    await bed.run(2000);
    await bed.runUntil(() => bed.status('web')?.phase === 'Running');
  });

  test('nothing happens to pods while the runtime is away, and all goes on afterwards', async () => {
    bed.workers.setDesired([makePod('web', { containers: [{}] })]);
    await bed.until(() => bed.status('web')?.phase === 'Running');
    bed.runtime.crash();
    bed.workers.markDirty('uid-web');
    await bed.run(5000);
    expect(bed.status('web')?.phase).toBe('Running');
    expect(bed.workers.snapshots()[0]?.waits[0]?.reason).toBe('RuntimeTrouble');
    bed.runtime.restore();
    await bed.run(3000);
    await bed.runUntil(() => bed.workers.snapshots()[0]?.waits.length === 0);
    expect(bed.container('web')?.restartCount).toBe(0);
  });
});

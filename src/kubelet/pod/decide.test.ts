import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ContainerStatus, PodSandboxStatus } from '#cri/types.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { containerHash } from './container-hash.ts';
import { CRASH_BACKOFF, nextBackoff, notBefore } from './crash-backoff.ts';
import { decide } from './decide.ts';
import type { PodState } from './decision.ts';
import { type Instance, type ObservedContainer, viewContainers } from './instances.ts';
import { HASH_ANNOTATION, RESTART_COUNT_ANNOTATION } from './labels.ts';
import type { ImageState } from './ports.ts';
import { type PodRecord, newRecord } from './record.ts';
import { makePod } from './testing/pod-bed.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const READY: ImageState = {
  kind: 'ready',
  ref: 'sha256:img',
  image: { id: 'sha256:img', repoTags: [], repoDigests: [], size: 1, username: '', pinned: false },
};

const sandbox = (attempt = 0, state: PodSandboxStatus['state'] = 'SANDBOX_READY'): PodSandboxStatus => ({
  id: `sb${attempt}`,
  metadata: { name: 'p', uid: 'uid-p', namespace: 'default', attempt },
  state,
  createdAt: NOW - 60_000 + attempt,
  labels: {},
  annotations: {},
  runtimeHandler: '',
  ips: ['10.0.0.2'],
  namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
});

interface Seen {
  name: string;
  attempt?: number;
  state?: ContainerStatus['state'];
  exitCode?: number;
  endedAgo?: number;
  sandboxId?: string;
  image?: string;
}

const container = ({
  name,
  attempt = 0,
  state = 'CONTAINER_RUNNING',
  exitCode = 0,
  endedAgo = 1000,
  sandboxId = 'sb0',
  image = 'img',
}: Seen): ObservedContainer => ({
  sandboxId,
  status: {
    id: `${name}-${attempt}`,
    metadata: { name, attempt },
    state,
    createdAt: NOW - 50_000 + attempt,
    startedAt: state === 'CONTAINER_CREATED' ? 0 : NOW - 40_000,
    finishedAt: state === 'CONTAINER_EXITED' ? NOW - endedAgo : 0,
    exitCode,
    image: { image },
    imageRef: 'sha256:img',
    imageId: 'sha256:img',
    reason: '',
    message: '',
    labels: {},
    annotations: {
      [HASH_ANNOTATION]: containerHash({ name, image }),
      [RESTART_COUNT_ANNOTATION]: String(attempt),
    },
    mounts: [],
    logPath: '',
  },
});

function stateOf(
  pod: AgentPod,
  over: Partial<PodState> & { seen?: Seen[]; record?: PodRecord } = {},
): PodState {
  const { seen = [], record = newRecord(pod, '2026-03-01T11:00:00Z'), ...rest } = over;
  return {
    pod,
    ending: undefined,
    sandboxes: [sandbox()],
    containers: viewContainers(pod, seen.map(container), record),
    record,
    isSetUp: true,
    isTornDown: false,
    referencesVersion: 0,
    areVolumesStale: false,
    stoppedSandboxes: new Set(),
    failures: new Map(),
    healths: new Map(),
    logFloor: new Map(),
    imageState: () => READY,
    backoffLimits: CRASH_BACKOFF,
    now: NOW,
    ...rest,
  };
}

/** Steps as short words: `start b#0`. */
function words(state: PodState): string[] {
  return decide(state).steps.map((step) => {
    switch (step.kind) {
      case 'startContainer':
        return `start ${step.container}#${step.attempt}`;
      case 'startCreated':
        return `startCreated ${step.container}#${step.attempt}`;
      case 'postStart':
        return `postStart ${step.id}`;
      case 'killContainers':
        return `kill ${step.kills.map((kill) => kill.id).join(',')} in ${step.gracePeriodSeconds}s`;
      case 'requestImage':
        return `image ${step.container}#${step.request.attempt}`;
      case 'createSandbox':
        return `sandbox ${step.attempt}`;
      case 'stopSandbox':
      case 'removeSandbox':
        return `${step.kind} ${step.id}`;
      case 'setUp':
      case 'refreshVolumes':
      case 'resize':
      case 'tearDown':
      case 'forget':
        return step.kind;
    }
  });
}

const one = makePod('p', { containers: [{ name: 'a' }] });
const two = makePod('p', { containers: [{ name: 'a' }, { name: 'b' }] });
const never = makePod('p', { restartPolicy: 'Never', containers: [{ name: 'a' }] });
const withInit = makePod('p', {
  initContainers: [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }],
  containers: [{ name: 'a' }],
});
const exited = (name: string, exitCode: number, more: Partial<Seen> = {}): Seen => ({
  name,
  state: 'CONTAINER_EXITED',
  exitCode,
  ...more,
});

describe('what pods name', () => {
  const failure = { reason: 'FailedMount', message: 'm', retryAt: NOW + 5000, referencesVersion: 3 };
  const running: Seen[] = [{ name: 'a', state: 'CONTAINER_RUNNING' }];
  test.each<[string, PodState, string[]]>([
    ['stale volumes are renewed', stateOf(one, { seen: running, areVolumesStale: true }), ['refreshVolumes']],
    [
      'in an adopted pod too',
      stateOf(one, { seen: running, areVolumesStale: true, isSetUp: false }),
      ['refreshVolumes'],
    ],
    [
      'before what starts with them',
      stateOf(one, { areVolumesStale: true }),
      ['refreshVolumes', 'start a#0'],
    ],
    ['setting up renews them', stateOf(one, { areVolumesStale: true, isSetUp: false }), ['setUp']],
    [
      'not where that failed just now, and nothing else waits for it',
      stateOf(one, {
        areVolumesStale: true,
        referencesVersion: 3,
        failures: new Map([['volumes', failure]]),
      }),
      ['start a#0'],
    ],
    [
      'at once where something has changed since',
      stateOf(one, {
        seen: running,
        areVolumesStale: true,
        referencesVersion: 4,
        failures: new Map([['volumes', failure]]),
      }),
      ['refreshVolumes'],
    ],
    [
      'so is a container that missed something',
      stateOf(one, { referencesVersion: 4, failures: new Map([['container a', failure]]) }),
      ['start a#0'],
    ],
    [
      'and else waits its time',
      stateOf(one, { referencesVersion: 3, failures: new Map([['container a', failure]]) }),
      [],
    ],
    [
      'a set-up that failed for a running pod waits its time, too',
      stateOf(one, {
        isSetUp: false,
        referencesVersion: 3,
        failures: new Map([['pod', failure]]),
      }),
      [],
    ],
    [
      'not in a pod that ends',
      stateOf(one, {
        seen: running,
        areVolumesStale: true,
        ending: { gracePeriodSeconds: 1, forget: false },
      }),
      ['kill a-0 in 1s', 'stopSandbox sb0'],
    ],
  ])('%s', (_, state, steps) => {
    expect(words(state)).toEqual(steps);
  });
});

describe('decide', () => {
  test.each<[string, PodState, string[]]>([
    [
      'a new pod gets its directories and sandbox',
      stateOf(one, { sandboxes: [], isSetUp: false }),
      ['setUp', 'sandbox 0'],
    ],
    [
      'images come while the sandbox is made',
      stateOf(two, { sandboxes: [], isSetUp: false, imageState: () => ({ kind: 'unknown' }) }),
      ['image a#0', 'image b#0', 'setUp', 'sandbox 0'],
    ],
    [
      'of a pod with init containers only the first image comes with the sandbox',
      stateOf(withInit, { sandboxes: [], imageState: () => ({ kind: 'unknown' }) }),
      ['image i#0', 'sandbox 0'],
    ],
    [
      'a sandbox that is replaced asks for no image of what has run: it may not start again',
      stateOf(one, {
        sandboxes: [sandbox(0, 'SANDBOX_NOTREADY')],
        seen: [exited('a', 0)],
        imageState: () => ({ kind: 'unknown' }),
      }),
      ['stopSandbox sb0', 'sandbox 1'],
    ],
    ['containers start in order', stateOf(two), ['start a#0', 'start b#0']],
    ['nothing is started before volumes are ready', stateOf(two, { isSetUp: false }), ['setUp']],
    ['what runs is left alone', stateOf(two, { seen: [{ name: 'a' }, { name: 'b' }] }), []],
    ['only what is missing is started', stateOf(two, { seen: [{ name: 'a' }] }), ['start b#0']],
    [
      'a created container is started',
      stateOf(one, { seen: [{ name: 'a', state: 'CONTAINER_CREATED' }] }),
      ['startCreated a#0'],
    ],
    ['the first restart comes at once', stateOf(one, { seen: [exited('a', 1)] }), ['start a#1']],
    ['Never is never', stateOf(never, { seen: [exited('a', 1)] }), ['stopSandbox sb0']],
    ['an image is asked for first', stateOf(one, { imageState: () => ({ kind: 'unknown' }) }), ['image a#0']],
    [
      'an image on its way holds up what follows, whose image is fetched meanwhile',
      stateOf(two, {
        imageState: (name) => (name === 'a' ? { kind: 'pulling', since: NOW } : { kind: 'unknown' }),
      }),
      ['image b#0'],
    ],
    [
      'a failed image holds up nobody else',
      stateOf(two, {
        imageState: (name) =>
          name === 'a' ? { kind: 'failed', reason: 'ErrImagePull', message: 'no', retryAt: NOW + 1 } : READY,
      }),
      ['start b#0'],
    ],
    ['init containers come first', stateOf(withInit), ['start i#0']],
    ['a running init container is waited for', stateOf(withInit, { seen: [{ name: 'i' }] }), []],
    ['a failed init container is tried again', stateOf(withInit, { seen: [exited('i', 1)] }), ['start i#1']],
    ['then sidecars', stateOf(withInit, { seen: [exited('i', 0)] }), ['start s#0']],
    ['then the app', stateOf(withInit, { seen: [exited('i', 0), { name: 's' }] }), ['start a#0']],
    [
      'a sidecar that ended is restarted beside the app',
      stateOf(withInit, { seen: [exited('i', 0), exited('s', 0), { name: 'a' }] }),
      ['start s#1'],
    ],
    [
      'a dead sandbox ends what runs in it and is replaced',
      stateOf(one, { sandboxes: [sandbox(0, 'SANDBOX_NOTREADY')], seen: [{ name: 'a' }] }),
      ['kill a-0 in 30s', 'stopSandbox sb0', 'sandbox 1'],
    ],
    [
      'two ready sandboxes are one too many',
      stateOf(one, { sandboxes: [sandbox(1), sandbox(0)] }),
      ['stopSandbox sb1', 'stopSandbox sb0', 'sandbox 2'],
    ],
    [
      'a new sandbox starts from the first init container',
      stateOf(withInit, {
        sandboxes: [sandbox(1), sandbox(0, 'SANDBOX_NOTREADY')],
        seen: [exited('i', 0), exited('s', 137), exited('a', 137)],
      }),
      ['start i#1'],
    ],
    [
      'what ran once does not run in a new sandbox',
      stateOf(never, { sandboxes: [sandbox(0, 'SANDBOX_NOTREADY')], seen: [{ name: 'a' }] }),
      ['kill a-0 in 30s', 'stopSandbox sb0'],
    ],
    [
      'an edited image restarts the container',
      stateOf(one, { seen: [{ name: 'a', image: 'old' }] }),
      ['kill a-0 in 30s', 'start a#1'],
    ],
    [
      'an edited image is fetched before the container goes down',
      stateOf(one, {
        seen: [{ name: 'a', image: 'old' }],
        imageState: () => ({ kind: 'pulling', since: NOW }),
      }),
      [],
    ],
    [
      'a container in unknown state is killed before there are two',
      stateOf(one, { seen: [{ name: 'a', state: 'CONTAINER_UNKNOWN' }] }),
      ['kill a-0 in 30s'],
    ],
    [
      'an ending pod stops first',
      stateOf(one, { ending: { gracePeriodSeconds: 7, forget: true }, seen: [{ name: 'a' }] }),
      ['kill a-0 in 7s', 'stopSandbox sb0'],
    ],
    [
      'and is looked at once more before it goes',
      stateOf(one, {
        ending: { gracePeriodSeconds: 7, forget: true },
        sandboxes: [sandbox(0, 'SANDBOX_NOTREADY')],
        stoppedSandboxes: new Set(['sb0']),
        seen: [exited('a', 143)],
      }),
      ['tearDown', 'removeSandbox sb0', 'forget'],
    ],
    [
      'a container whose start failed waits',
      stateOf(two, {
        failures: new Map([
          ['container a', { reason: 'CreateContainerError', message: 'x', retryAt: NOW + 5 }],
        ]),
      }),
      ['start b#0'],
    ],
  ])('%s', (_title, state, expected) => {
    expect(words(state)).toEqual(expected);
  });

  test('a crash back-off is waited for, and says so', () => {
    const record = newRecord(one, '');
    record.containers['a'] = {
      attempt: 1,
      id: 'a-1',
      sandboxId: 'sb0',
      backoff: { delayMs: 20_000, steppedAt: NOW - 5000 },
    };
    const decision = decide(stateOf(one, { record, seen: [exited('a', 1, { attempt: 1, endedAgo: 4000 })] }));
    expect(decision.steps).toEqual([]);
    expect(decision.wakeAt).toBe(NOW + 16_000);
    expect(decision.waiting.get('a')?.message).toBe(
      'back-off 20s restarting failed container=a pod=p_default(uid-p)',
    );
    expect(decision.waits[0]).toMatchObject({ reason: 'CrashLoopBackOff', until: NOW + 16_000 });
  });

  test('a start that failed here explains nothing once the container runs, or has run for good', () => {
    const failures = new Map([
      ['container a', { reason: 'RunContainerError', message: 'already starting', retryAt: NOW + 5 }],
    ]);
    const shown = (state: PodState): unknown => {
      const { waiting, waits } = decide(state);
      return {
        waiting: waiting.size,
        waits: waits.filter(({ reason }) => reason === 'RunContainerError').length,
      };
    };
    expect(shown(stateOf(one, { failures }))).toEqual({ waiting: 1, waits: 1 });
    expect(shown(stateOf(one, { failures, seen: [{ name: 'a' }] }))).toEqual({ waiting: 0, waits: 0 });
    expect(shown(stateOf(never, { failures, seen: [exited('a', 1)] }))).toEqual({ waiting: 0, waits: 0 });
  });

  test('a container that was started and is nowhere to be found counts as ended', () => {
    const record = newRecord(never, '');
    record.containers['a'] = { attempt: 0, id: 'a-0', sandboxId: 'sb0' };
    const decision = decide(stateOf(never, { record }));
    expect(decision.terminal).toEqual({ phase: 'Failed' });
    expect(decision.steps.some((step) => step.kind === 'startContainer')).toBe(false);
  });

  test('whatever the state, no container is started twice, or beside its own running instance, or outside the sandbox', () => {
    const arbitrarySeen = fc.record({
      name: fc.constantFrom('i', 's', 'a', 'b'),
      attempt: fc.nat(3),
      state: fc.constantFrom<ContainerStatus['state']>(
        'CONTAINER_CREATED',
        'CONTAINER_RUNNING',
        'CONTAINER_EXITED',
        'CONTAINER_UNKNOWN',
      ),
      exitCode: fc.constantFrom(0, 1, 137),
      endedAgo: fc.nat(400_000),
      sandboxId: fc.constantFrom('sb0', 'sb1'),
    });
    const arbitraryImage = fc.constantFrom<ImageState>(
      READY,
      { kind: 'unknown' },
      { kind: 'pulling', since: NOW },
      { kind: 'failed', reason: 'ErrImagePull', message: '', retryAt: NOW + 1 },
    );
    fc.assert(
      fc.property(
        fc.array(arbitrarySeen, { maxLength: 8 }),
        fc.constantFrom('Always', 'OnFailure', 'Never'),
        fc.constantFrom(
          [],
          [sandbox()],
          [sandbox(1), sandbox(0, 'SANDBOX_NOTREADY')],
          [sandbox(1, 'SANDBOX_NOTREADY')],
        ),
        arbitraryImage,
        fc.boolean(),
        (seen, restartPolicy, sandboxes, image, ends) => {
          const pod = makePod('p', {
            restartPolicy,
            initContainers: [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }],
            containers: [{ name: 'a' }, { name: 'b' }],
          });
          const state = stateOf(pod, {
            seen,
            sandboxes,
            imageState: () => image,
            ...(ends ? { ending: { gracePeriodSeconds: 1, forget: true } } : {}),
          });
          const { steps } = decide(state);
          const starts = steps.flatMap((step) =>
            step.kind === 'startContainer' || step.kind === 'startCreated' ? [step] : [],
          );
          expect(new Set(starts.map((step) => step.container)).size).toBe(starts.length);
          if (ends) expect(starts).toEqual([]);
          for (const start of starts) {
            const view = state.containers.find(({ spec }) => spec.name === start.container);
            expect(view?.current?.state).not.toBe('running');
            expect(start.sandboxId).toBe(state.sandboxes.find((each) => each.state === 'SANDBOX_READY')?.id);
            if (start.kind === 'startContainer')
              expect(start.attempt).toBeGreaterThan(view?.current?.attempt ?? -1);
          }
          // A container that has ended for good is never started again, however it ended.
          if (restartPolicy === 'Never') {
            for (const view of state.containers.filter(({ kind }) => kind === 'app')) {
              if (view.current?.state === 'exited')
                expect(starts.some((step) => step.container === view.spec.name)).toBe(false);
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('crash back-off', () => {
  const endedAt = (finishedAt: number): Instance => ({
    ...(viewContainers(one, [container(exited('a', 1))], undefined)[0]?.current as Instance),
    finishedAt,
  });

  test('doubles from 10 to 300 seconds', () => {
    let backoff;
    const delays: number[] = [];
    for (let time = NOW, i = 0; i < 8; i++, time += 301_000) {
      delays.push(notBefore(backoff, endedAt(time), time) === 0 ? 0 : (backoff?.delayMs ?? 0) / 1000);
      backoff = nextBackoff(backoff, endedAt(time), time);
    }
    expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  });

  test('begins anew after more than ten minutes between the last start and the end', () => {
    const backoff = { delayMs: 300_000, steppedAt: NOW };
    expect(notBefore(backoff, endedAt(NOW + 600_000), NOW + 600_000)).toBe(NOW + 900_000);
    expect(notBefore(backoff, endedAt(NOW + 600_001), NOW + 600_001)).toBe(0);
    expect(nextBackoff(backoff, endedAt(NOW + 600_001), NOW + 600_002).delayMs).toBe(10_000);
  });
});

test("kubelet's hash of a container", () => {
  // The value that 1.36 itself gives.
  expect(containerHash({ image: 'nginx', name: 'c' })).toBe('4611fea5');
});

import { describe, expect, test } from 'vitest';
import type { Container, ContainerStatus, Pod, PodStatus } from '#lib/kube/types.ts';
import { summarizePod } from './pod-status.ts';

const now = Date.UTC(2026, 0, 1, 1);
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

const status = (name: string, given: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name,
  image: 'busybox',
  imageID: 'sha256:1',
  ready: false,
  restartCount: 0,
  ...given,
});

const running = { running: { startedAt: ago(60) } };
const up = (name: string, given: Partial<ContainerStatus> = {}): ContainerStatus =>
  status(name, { ready: true, started: true, state: running, ...given });
const waiting = (reason: string) => ({ waiting: { reason } });
const ended = (exitCode: number, reason?: string, signal?: number) => ({
  terminated: {
    exitCode,
    ...(reason === undefined ? {} : { reason }),
    ...(signal === undefined ? {} : { signal }),
    finishedAt: ago(200),
  },
});
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
const initialized = { conditions: [{ type: 'Initialized', status: 'True' }] };

interface Shape {
  inits?: Container[];
  apps?: number;
  metadata?: Pod['metadata'];
}

function summary(given: Partial<PodStatus>, { inits = [], apps = 1, metadata = {} }: Shape = {}): string {
  const containers = Array.from({ length: apps }, (_, index) => ({ name: `app${index}` }));
  const pod: Pod = {
    metadata,
    spec: { containers, ...(inits.length === 0 ? {} : { initContainers: inits }) },
    status: given,
  };
  const { ready: count, status: word, restarts } = summarizePod(pod, now);
  return `${count} ${word} ${restarts}`;
}

const init = (name: string, sidecar = false): Container => ({
  name,
  ...(sidecar ? { restartPolicy: 'Always' } : {}),
});

describe('app containers', () => {
  test.each<[string, Partial<PodStatus>, string]>([
    ['nothing known', { phase: 'Pending' }, '0/1 Pending 0'],
    ['running', { phase: 'Running', containerStatuses: [up('app0')] }, '1/1 Running 0'],
    [
      'creating',
      { phase: 'Pending', containerStatuses: [status('app0', { state: waiting('ContainerCreating') })] },
      '0/1 ContainerCreating 0',
    ],
    [
      'crash loop',
      {
        phase: 'Running',
        containerStatuses: [
          status('app0', {
            restartCount: 5,
            state: waiting('CrashLoopBackOff'),
            lastState: ended(1, 'Error'),
          }),
        ],
      },
      '0/1 CrashLoopBackOff 5 (3m20s ago)',
    ],
    [
      'completed',
      { phase: 'Succeeded', containerStatuses: [status('app0', { state: ended(0, 'Completed') })] },
      '0/1 Completed 0',
    ],
    [
      'error',
      { phase: 'Failed', containerStatuses: [status('app0', { state: ended(2, 'Error') })] },
      '0/1 Error 0',
    ],
    [
      'out of memory',
      { phase: 'Failed', containerStatuses: [status('app0', { state: ended(137, 'OOMKilled') })] },
      '0/1 OOMKilled 0',
    ],
    [
      'exit code',
      { phase: 'Failed', containerStatuses: [status('app0', { state: ended(3) })] },
      '0/1 ExitCode:3 0',
    ],
    [
      'signal',
      { phase: 'Failed', containerStatuses: [status('app0', { state: ended(0, '', 9) })] },
      '0/1 Signal:9 0',
    ],
    [
      'running, not ready',
      { phase: 'Running', containerStatuses: [up('app0', { ready: false })] },
      '0/1 Running 0',
    ],
    ['evicted', { phase: 'Failed', reason: 'Evicted' }, '0/1 Evicted 0'],
    [
      'gated',
      {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
      },
      '0/1 SchedulingGated 0',
    ],
    [
      'restarts without a known end',
      { phase: 'Running', containerStatuses: [up('app0', { restartCount: 2 })] },
      '1/1 Running 2',
    ],
  ])('%s', (_what, given, text) => expect(summary(given)).toBe(text));

  test.each<[string, Partial<PodStatus>, string]>([
    [
      'one completed, one runs, ready',
      {
        phase: 'Running',
        ...ready,
        containerStatuses: [status('app0', { state: ended(0, 'Completed') }), up('app1')],
      },
      '1/2 Running 0',
    ],
    [
      'one completed, one runs, pod not ready',
      { phase: 'Running', containerStatuses: [status('app0', { state: ended(0, 'Completed') }), up('app1')] },
      '1/2 NotReady 0',
    ],
    [
      'the first container’s word wins',
      {
        phase: 'Running',
        containerStatuses: [
          status('app0', { state: waiting('ImagePullBackOff') }),
          status('app1', { state: waiting('CrashLoopBackOff'), restartCount: 1, lastState: ended(1) }),
        ],
      },
      '0/2 ImagePullBackOff 1 (3m20s ago)',
    ],
  ])('%s', (_what, given, text) => expect(summary(given, { apps: 2 })).toBe(text));
});

describe('init containers', () => {
  const two = { inits: [init('a'), init('b')] };
  test.each<[string, Partial<PodStatus>, Shape, string]>([
    [
      'the first runs',
      {
        phase: 'Pending',
        initContainerStatuses: [
          status('a', { state: running }),
          status('b', { state: waiting('PodInitializing') }),
        ],
      },
      two,
      '0/1 Init:0/2 0',
    ],
    [
      'the second waits its turn',
      {
        phase: 'Pending',
        initContainerStatuses: [
          status('a', { state: ended(0, 'Completed') }),
          status('b', { state: waiting('PodInitializing') }),
        ],
      },
      two,
      '0/1 Init:1/2 0',
    ],
    [
      'crash loop',
      {
        phase: 'Pending',
        initContainerStatuses: [
          status('a', { restartCount: 3, state: waiting('CrashLoopBackOff'), lastState: ended(1) }),
        ],
      },
      two,
      '0/1 Init:CrashLoopBackOff 3 (3m20s ago)',
    ],
    [
      'error',
      { phase: 'Failed', initContainerStatuses: [status('a', { state: ended(1, 'Error') })] },
      two,
      '0/1 Init:Error 0',
    ],
    [
      'exit code',
      { phase: 'Failed', initContainerStatuses: [status('a', { state: ended(4) })] },
      two,
      '0/1 Init:ExitCode:4 0',
    ],
    [
      'signal',
      { phase: 'Failed', initContainerStatuses: [status('a', { state: ended(1, '', 15) })] },
      two,
      '0/1 Init:Signal:15 0',
    ],
    [
      'through: the apps’ word',
      {
        phase: 'Pending',
        initContainerStatuses: [
          status('a', { state: ended(0) }),
          status('b', { state: ended(0), restartCount: 2 }),
        ],
        containerStatuses: [status('app0', { state: waiting('PodInitializing') })],
      },
      two,
      '0/1 PodInitializing 0',
    ],
    [
      'a sidecar that has started counts as ready',
      {
        phase: 'Running',
        ...initialized,
        initContainerStatuses: [up('a', { restartCount: 1, lastState: ended(1) })],
        containerStatuses: [up('app0')],
      },
      { inits: [init('a', true)] },
      '2/2 Running 1 (3m20s ago)',
    ],
    [
      'a sidecar that hasn’t started',
      { phase: 'Pending', initContainerStatuses: [status('a', { started: false, state: running })] },
      { inits: [init('a', true)] },
      '0/2 Init:0/1 0',
    ],
    [
      'a sidecar that restarts later doesn’t hide the apps',
      {
        phase: 'Running',
        ...initialized,
        initContainerStatuses: [
          status('a', { started: false, state: waiting('CrashLoopBackOff'), restartCount: 1 }),
        ],
        containerStatuses: [up('app0')],
      },
      { inits: [init('a', true)] },
      '1/2 Init:CrashLoopBackOff 1',
    ],
  ])('%s', (_what, given, shape, text) => expect(summary(given, shape)).toBe(text));
});

describe('deletion', () => {
  const metadata = { deletionTimestamp: ago(1) };
  test.each<[Partial<PodStatus>, string]>([
    [{ phase: 'Running', containerStatuses: [up('app0')] }, '1/1 Terminating 0'],
    [{ phase: 'Running', reason: 'NodeLost' }, '0/1 Unknown 0'],
    [
      { phase: 'Succeeded', containerStatuses: [status('app0', { state: ended(0, 'Completed') })] },
      '0/1 Completed 0',
    ],
  ])('%j', (given, text) => expect(summary(given, { metadata })).toBe(text));
});

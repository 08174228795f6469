import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Container, PodStatus } from '#lib/kube/types.ts';
import type { Outcome } from '#probes/outcome.ts';
import type { ProbeTarget } from '#probes/prober.ts';
import type { PodStanding, PodStatusSink } from './ports.ts';
import { PodBed, makePod } from './testing/pod-bed.ts';

const ok: Outcome = { kind: 'success', words: '' };
const bad: Outcome = { kind: 'failure', words: 'HTTP probe failed with statuscode: 500' };
const SECOND = 1000;

/** Ports tell a test's probes apart. */
const http = (port: number, more: Partial<NonNullable<Container['livenessProbe']>> = {}) => ({
  httpGet: { port, path: '/' },
  ...more,
});

describe('probes', () => {
  let bed: PodBed;
  /** What each port answers now. */
  let answers: Map<number, Outcome>;
  /** Seconds at which each port was asked, since the container's start. */
  let asked: [number, number][];
  const published: PodStatus[] = [];

  beforeEach(() => {
    published.length = 0;
    const sink: PodStatusSink = {
      publish: (_pod, status, _standing: PodStanding) => void published.push(status),
      forget: () => undefined,
    };
    bed = new PodBed({ statuses: () => sink });
    answers = new Map();
    asked = [];
    bed.probe = (target: ProbeTarget) => {
      const port = target.kind === 'http' ? target.request.port : 0;
      const started = bed.runtime.newest('main')?.startedAt ?? 0;
      asked.push([port, (bed.clock.now() - started) / SECOND]);
      return Promise.resolve(answers.get(port) ?? ok);
    };
  });
  afterEach(async () => {
    bed.killAgent();
    await bed.workers.stop();
    bed.dispose();
  });
  const run = async (container: Partial<Container>, spec: object = {}): Promise<void> => {
    bed.workers.setDesired([makePod('web', { ...spec, containers: [container] })]);
    await bed.until(() => bed.running().length >= 1);
  };
  const times = (port: number): number[] => asked.flatMap(([at, time]) => (at === port ? [time] : []));
  const messages = (reason: string): string[] =>
    bed.events.list().flatMap((event) => (event.reason === reason ? [event.message ?? ''] : []));

  test('readiness: not ready before the first success, which comes no sooner than the initial delay', async () => {
    await run({ readinessProbe: http(1, { initialDelaySeconds: 5, periodSeconds: 10 }) });
    expect(bed.container('web')).toMatchObject({ ready: false, started: true });
    expect(bed.status('web')?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    });
    await bed.run(4900);
    expect(asked).toEqual([]);
    await bed.run(200);
    expect(bed.container('web')).toMatchObject({ ready: true });
    await bed.run(30 * SECOND);
    expect(times(1)).toEqual([5, 15, 25, 35]);
  });

  test('readiness: lost after three failures, without a restart, and won back with one success', async () => {
    await run({ readinessProbe: http(1) });
    await bed.runUntil(() => bed.container('web')?.ready === true);
    answers.set(1, bad);
    await bed.run(25 * SECOND);
    expect(bed.container('web')?.ready).toBe(true);
    await bed.run(6 * SECOND);
    expect(bed.container('web')).toMatchObject({ ready: false, started: true, restartCount: 0 });
    expect(messages('Unhealthy')).toEqual(['Readiness probe failed: HTTP probe failed with statuscode: 500']);
    const [snapshot] = bed.workers.snapshots();
    expect(snapshot?.waits).toEqual([
      {
        subject: 'container main',
        reason: 'NotReady',
        message:
          'Container main runs, and its readiness probe has not succeeded. The last one said: HTTP probe failed with statuscode: 500',
      },
    ]);
    answers.set(1, ok);
    await bed.run(10 * SECOND);
    expect(bed.container('web')?.ready).toBe(true);
    expect(bed.status('web')?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  test('liveness: three failures, and the container is restarted with a new count', async () => {
    await run({ livenessProbe: http(1) });
    answers.set(1, bad);
    await bed.runUntil(() => bed.container('web')?.restartCount === 1);
    expect(messages('Killing')).toEqual(['Container main failed liveness probe, will be restarted']);
    expect(bed.runtime.script.log('StopContainer')).toEqual(['StopContainer main']);
    const before = asked.length;
    await bed.run(SECOND);
    expect(bed.running()).toEqual(['main#1']);
    // Two failures of the new one change nothing.
    await bed.run(15 * SECOND);
    expect(asked.length).toBeGreaterThan(before);
    expect(bed.running()).toEqual(['main#1']);
    expect(bed.container('web')?.lastState?.terminated?.exitCode).toBe(143);
  });

  test('liveness: the probe’s own grace period, and no promise of a restart where none comes', async () => {
    await run(
      { livenessProbe: http(1, { terminationGracePeriodSeconds: 7, failureThreshold: 1 }) },
      { restartPolicy: 'Never' },
    );
    answers.set(1, bad);
    await bed.runUntil(() => bed.status('web')?.phase === 'Failed');
    expect(messages('Killing')).toEqual(['Container main failed liveness probe']);
    const stop = bed.runtime.script.calls.find(({ verb }) => verb === 'StopContainer');
    expect(stop?.args[1]).toBe(7);
  });

  test('startup: gates the others, which then begin at once', async () => {
    answers.set(1, bad);
    await run({
      startupProbe: http(1, { periodSeconds: 2, failureThreshold: 10 }),
      livenessProbe: http(2, { initialDelaySeconds: 1 }),
      readinessProbe: http(3),
    });
    await bed.run(7 * SECOND);
    expect(bed.container('web')).toMatchObject({ started: false, ready: false });
    expect(new Set(asked.map(([port]) => port))).toEqual(new Set([1]));
    answers.set(1, ok);
    await bed.run(SECOND);
    expect(bed.container('web')).toMatchObject({ started: true, ready: true });
    await bed.run(60 * SECOND);
    expect(times(1)).toEqual([0, 2, 4, 6, 8]);
    expect(times(2).slice(0, 2)).toEqual([8, 18]);
    expect(times(3).slice(0, 2)).toEqual([8, 18]);
    expect(messages('Unhealthy')).toEqual(['Startup probe failed: HTTP probe failed with statuscode: 500']);
  });

  test('startup: its failure restarts the container', async () => {
    answers.set(1, bad);
    await run({ startupProbe: http(1, { failureThreshold: 2 }) });
    await bed.runUntil(() => bed.container('web')?.restartCount === 1);
    expect(messages('Killing')).toEqual(['Container main failed startup probe, will be restarted']);
  });

  test('a warning is success, and a probe that fails by itself is told and changes nothing', async () => {
    answers.set(1, { kind: 'warning', words: 'Probe terminated redirects, Response body: x' });
    answers.set(2, { kind: 'error', words: 'no such port' });
    await run({ readinessProbe: http(1), livenessProbe: http(2, { failureThreshold: 1 }) });
    await bed.runUntil(() => bed.container('web')?.ready === true);
    expect(messages('ProbeWarning')).toEqual([
      'Readiness probe warning: Probe terminated redirects, Response body: x',
    ]);
    expect(messages('Unhealthy')).toEqual([
      'Liveness probe errored and resulted in unknown state: no such port',
    ]);
    await bed.run(60 * SECOND);
    expect(bed.container('web')?.restartCount).toBe(0);
  });

  test('while the pod ends, readiness is looked at and published, and nothing else', async () => {
    bed.runtime.behave('main', { ignoresTerm: true });
    await run({ readinessProbe: http(1, { failureThreshold: 1 }), livenessProbe: http(2) });
    await bed.runUntil(() => bed.container('web')?.ready === true);
    bed.workers.end('uid-web', { gracePeriodSeconds: 30, forget: false });
    await bed.run(SECOND);
    asked.length = 0;
    answers.set(1, bad);
    answers.set(2, bad);
    await bed.run(20 * SECOND);
    expect(times(1).length).toBeGreaterThan(1);
    expect(times(2)).toEqual([]);
    // The worker is busy with stopping it.
    expect(bed.running()).toEqual(['main#0']);
    expect(published.at(-1)?.containerStatuses?.[0]).toMatchObject({ ready: false, started: true });
    await bed.run(15 * SECOND);
    expect(bed.running()).toEqual([]);
    asked.length = 0;
    await bed.run(60 * SECOND);
    expect(asked).toEqual([]);
    expect(bed.clock.pending).toBe(0);
  });

  test('one container’s readiness is published while another is being stopped', async () => {
    bed.runtime.behave('slow', { ignoresTerm: true });
    bed.workers.setDesired([
      makePod('web', {
        containers: [
          { name: 'main', readinessProbe: http(1, { failureThreshold: 1 }) },
          { name: 'slow', livenessProbe: http(2, { failureThreshold: 1 }) },
        ],
      }),
    ]);
    await bed.runUntil(() => bed.container('web')?.ready === true && bed.running().length === 2);
    answers.set(1, bad);
    answers.set(2, bad);
    await bed.run(15 * SECOND);
    expect(bed.running()).toEqual(['main#0', 'slow#0']);
    expect(bed.container('web')?.ready).toBe(false);
  });

  test('an agent’s restart changes nothing that is published', async () => {
    answers.set(2, bad);
    bed.workers.setDesired([
      makePod('web', {
        containers: [
          { name: 'main', startupProbe: http(3), readinessProbe: http(1), livenessProbe: http(4) },
          { name: 'down', readinessProbe: http(2) },
        ],
      }),
    ]);
    await bed.runUntil(() => bed.container('web')?.ready === true && bed.running().length === 2);
    await bed.run(60 * SECOND);
    const before = bed.status('web');
    asked.length = 0;
    const pods = [...bed.workers.snapshots()].map(({ context }) => context.pod);
    bed.restartAgent();
    published.length = 0;
    bed.workers.setDesired(pods);
    await bed.until(() => bed.status('web') !== undefined);
    // Half a period: what the bed gives as chance.
    await bed.run(4 * SECOND);
    expect(asked).toEqual([]);
    await bed.run(20 * SECOND);
    expect(asked.map(([port]) => port).sort((a, b) => a - b)).toEqual([1, 1, 2, 2, 4, 4]);
    const { conditions, ...rest } = before ?? {};
    for (const status of published) {
      expect(status).toMatchObject({ ...rest });
      const kept = (each: typeof conditions) => each?.map(({ type, status: is }) => [type, is]);
      expect(kept(status.conditions)).toEqual(kept(conditions));
    }
    // What it finds from now on counts.
    answers.set(1, bad);
    await bed.run(40 * SECOND);
    expect(bed.container('web')?.ready).toBe(false);
  });

  test('a sidecar’s startup probe holds up what comes after it; its liveness restarts it', async () => {
    answers.set(1, bad);
    bed.workers.setDesired([
      makePod('web', {
        initContainers: [
          {
            name: 'side',
            restartPolicy: 'Always',
            startupProbe: http(1, { periodSeconds: 1, failureThreshold: 60 }),
            livenessProbe: http(2, { failureThreshold: 1 }),
          },
        ],
        containers: [{ name: 'main' }],
      }),
    ]);
    await bed.until(() => bed.running().length === 1);
    await bed.run(20 * SECOND);
    expect(bed.running()).toEqual(['side#0']);
    expect(bed.status('web')).toMatchObject({ phase: 'Pending' });
    expect(bed.status('web')?.conditions?.find(({ type }) => type === 'Initialized')?.status).toBe('False');
    answers.set(1, ok);
    await bed.runUntil(() => bed.running().length === 2);
    expect(bed.status('web')?.phase).toBe('Running');
    answers.set(2, bad);
    await bed.runUntil(() => bed.container('web', 'side')?.restartCount === 1);
    expect(messages('Killing')).toEqual(['Init container side failed liveness probe']);
    expect(bed.running()).toContain('main#0');
  });

  test('a pod’s end leaves no probe behind', async () => {
    await run({ readinessProbe: http(1), livenessProbe: http(2) });
    await bed.run(SECOND);
    bed.workers.setDesired([]);
    await bed.runUntil(() => bed.workers.uids().size === 0);
    asked.length = 0;
    await bed.run(60 * SECOND);
    expect(asked).toEqual([]);
  });
});

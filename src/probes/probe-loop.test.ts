import { expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { failure, success } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { ProbeLoop, type ProbeLoopParts } from './probe-loop.ts';
import type { ProbeKind } from './probe-state.ts';

const SECOND = 1000;

function loopOf(kind: ProbeKind, probe: ProbeLoopParts['probe'], over: Partial<ProbeLoopParts> = {}) {
  const clock = new FakeClock();
  const start = clock.now();
  const times: number[] = [];
  const changes: string[] = [];
  const loop = new ProbeLoop(kind, {
    clock,
    timing: { initialDelayMs: 0, periodMs: 10 * SECOND, successThreshold: 1, failureThreshold: 3 },
    startedAt: start,
    share: 0,
    probe: (signal) => {
      times.push((clock.now() - start) / SECOND);
      return probe(signal);
    },
    onOutcome: (_outcome, { result }, before) => {
      if (result !== before.result) changes.push(result);
    },
    ...over,
  });
  loop.start();
  return { loop, clock, times, changes };
}

test('at once, then each period', async () => {
  const { clock, times, changes, loop } = loopOf('readiness', () => Promise.resolve(success()));
  await clock.advance(35 * SECOND);
  expect(times).toEqual([0, 10, 20, 30]);
  expect(changes).toEqual(['success']);
  loop.stop();
  await clock.advance(60 * SECOND);
  expect(times).toHaveLength(4);
  expect(clock.pending).toBe(0);
});

test('never two at once: one that takes longer than a period is followed at once', async () => {
  let running = 0;
  const bed = loopOf('readiness', async () => {
    expect(++running).toBe(1);
    await new Promise<void>((resolve) => bed.clock.after(15 * SECOND, resolve));
    running--;
    return success();
  });
  await bed.clock.advance(50 * SECOND);
  expect(bed.times).toEqual([0, 15, 30, 45]);
  bed.loop.stop();
});

test('on hold after a liveness failure', async () => {
  const { clock, times, changes } = loopOf('liveness', () => Promise.resolve(failure('down')));
  await clock.advance(100 * SECOND);
  expect(times).toEqual([0, 10, 20]);
  expect(changes).toEqual(['failure']);
});

test('a probe that fails by itself changes nothing, neither do results that come too late', async () => {
  const outcomes: (Outcome | Error)[] = [
    failure('1'),
    failure('2'),
    { kind: 'error', words: 'x' },
    new Error('y'),
    failure('3'),
  ];
  const { clock, times, changes } = loopOf('liveness', () => {
    const next = outcomes.shift();
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next ?? success());
  });
  await clock.advance(35 * SECOND);
  expect(times).toEqual([0, 10, 20, 30]);
  expect(changes).toEqual([]);
  await clock.advance(10 * SECOND);
  expect(changes).toEqual(['failure']);
});

test('the end stops a probe under way and takes no result any more', async () => {
  let ended = false;
  const { clock, loop, changes } = loopOf(
    'readiness',
    (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          ended = true;
          resolve(success());
        });
      }),
  );
  await clock.advance(SECOND);
  loop.stop();
  await clock.advance(SECOND);
  expect(ended).toBe(true);
  expect(changes).toEqual([]);
});

test('a started container isn’t start-up-probed again', async () => {
  const { clock, times, loop } = loopOf('startup', () => Promise.resolve(failure('x')), {
    adopted: 'success',
  });
  await clock.advance(100 * SECOND);
  expect(times).toEqual([]);
  expect(loop.result).toBe('success');
});

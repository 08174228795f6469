import { describe, expect, test } from 'vitest';
import { DeadlineError, InternalError } from '#lib/errors.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { Wakeup, gotNoAnswer, retryPause } from './retry.ts';

test('pauses double from 200 ms up to 7 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 60].map(retryPause)).toEqual([200, 400, 800, 1600, 3200, 6400, 7000, 7000]);
});

test.each([
  [new DeadlineError('late'), true],
  [new ApiError({ status: 0, reason: '', message: 'reset' }), true],
  [new ApiError({ status: 500, reason: '', message: 'broken' }), false],
  [new InternalError('x'), false],
])('gotNoAnswer(%s) = %s', (error, expected) => {
  expect(gotNoAnswer(error)).toBe(expected);
});

describe('Wakeup', () => {
  test.each<[string, (wakeup: Wakeup, clock: FakeClock, stop: AbortController) => unknown, boolean]>([
    ['rung', (wakeup) => wakeup.ring(), true],
    ['over', (_wakeup, clock) => clock.advance(1000), false],
    ['aborted', (_wakeup, _clock, stop) => stop.abort(), false],
  ])('%s', async (_name, act, rung) => {
    const [wakeup, clock, stop] = [new Wakeup(), new FakeClock(), new AbortController()];
    const waiting = wakeup.wait(clock, 1000, stop.signal);
    await settle();
    await act(wakeup, clock, stop);
    expect(await waiting).toBe(rung);
    expect(clock.pending).toBe(0);
  });

  test('a ring before the wait counts once', async () => {
    const [wakeup, clock, { signal }] = [new Wakeup(), new FakeClock(), new AbortController()];
    wakeup.ring();
    wakeup.ring();
    expect(await wakeup.wait(clock, 1000, signal)).toBe(true);
    const second = wakeup.wait(clock, 1000, signal);
    await clock.advance(1000);
    expect(await second).toBe(false);
  });
});

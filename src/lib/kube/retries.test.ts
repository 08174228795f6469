import { describe, expect, test } from 'vitest';
import { retryDelays } from '../retry-schedule.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ApiError, isApiConflict } from './api-error.ts';
import { withRetries } from './retries.ts';
import type { RetryOptions } from './retries.ts';

const failure = (status: number, retryAfterMs?: number): ApiError =>
  new ApiError({ status, reason: 'Conflict', message: `status ${status}`, retryAfterMs });

function setUp(failures: Error[], options: Partial<RetryOptions> = {}) {
  const clock = new FakeClock();
  const began = clock.monotonic();
  const at: number[] = [];
  const done = withRetries(
    async () => {
      at.push(clock.monotonic() - began);
      const error = failures.shift();
      if (error !== undefined) throw error;
      return 'done';
    },
    {
      delays: retryDelays({ initialMs: 100, maxMs: 1000, steps: 4 }, () => 0),
      clock,
      signal: new AbortController().signal,
      ...options,
    },
  );
  const result = done.catch((error: unknown) => error);
  return { clock, at, result };
}

describe('withRetries', () => {
  test('repeats what is retryable, by the schedule', async () => {
    const { clock, at, result } = setUp([failure(0), failure(500), failure(503)]);
    await clock.advance(10_000);
    expect(await result).toBe('done');
    expect(at).toEqual([0, 100, 300, 700]);
  });

  test('waits as long as Retry-After asks', async () => {
    const { clock, at, result } = setUp([failure(429, 5000), failure(429, 1)]);
    await clock.advance(10_000);
    expect(await result).toBe('done');
    expect(at).toEqual([0, 5000, 5200]);
  });

  test('gives up when the schedule ends, with the last error', async () => {
    const errors = [1, 2, 3, 4, 5, 6].map(() => failure(500));
    const last = errors[4];
    const { clock, at, result } = setUp(errors);
    await clock.advance(10_000);
    expect(await result).toBe(last);
    expect(at).toHaveLength(5);
  });

  test('no attempt begins after the deadline', async () => {
    const { clock, at, result } = setUp([failure(503, 3000), failure(503)], { deadlineMs: 2000 });
    await clock.advance(10_000);
    expect(await result).toMatchObject({ status: 503 });
    expect(at).toEqual([0]);
  });

  test('a refusal is final unless the caller says otherwise', async () => {
    const refused = setUp([failure(409)]);
    expect(await refused.result).toMatchObject({ status: 409 });
    const again = setUp([failure(409)], { when: isApiConflict });
    await again.clock.advance(100);
    expect(await again.result).toBe('done');
  });

  test('ends at once with the signal', async () => {
    const stop = new AbortController();
    const { clock, at, result } = setUp([failure(500), failure(500)], { signal: stop.signal });
    await clock.advance(10);
    stop.abort(new Error('stopped'));
    expect(await result).toMatchObject({ message: 'stopped' });
    expect(at).toEqual([0]);
    expect(clock.pending).toBe(0);
  });
});

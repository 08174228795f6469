import { expect, test } from 'vitest';
import { retryDelays } from './retry-schedule.ts';

test('delays grow to the maximum', () => {
  const delays = [...retryDelays({ initialMs: 100, maxMs: 1000, steps: 6 }, () => 0.5)];
  expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test('jitter lengthens, never shortens', () => {
  const randoms = [0, 0.5, 0.999];
  const schedule = { initialMs: 100, maxMs: 100, factor: 1, jitter: 1, steps: 3 };
  const delays = [...retryDelays(schedule, () => randoms.shift() ?? 0)];
  expect(delays.map(Math.round)).toEqual([100, 150, 200]);
});

test('without steps it goes on', () => {
  const delays = retryDelays({ initialMs: 1, maxMs: 2 }, () => 0);
  for (let i = 0; i < 1000; i++) expect(delays.next().done).toBe(false);
});

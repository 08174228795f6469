import { expect, test } from 'vitest';
import { deadlines, execDeadline, stopDeadline } from './deadlines.ts';

test.each([
  [undefined, { read: 20_000, change: 120_000, sandbox: 240_000 }],
  [300_000, { read: 20_000, change: 300_000, sandbox: 600_000 }],
  [5000, { read: 5000, change: 5000, sandbox: 10_000 }],
])('runtimeRequestTimeout %s', (timeout, expected) => {
  expect(deadlines(timeout)).toEqual(expected);
});

test('stopping may take the grace period and the request timeout', () => {
  expect(stopDeadline(deadlines(), 30)).toBe(150_000);
});

test('a command without a limit has no deadline', () => {
  expect(execDeadline(0)).toBeUndefined();
  expect(execDeadline(1)).toBeGreaterThan(1000);
});

import { expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { DuePods } from './due-pods.ts';

const made = () => {
  const clock = new FakeClock();
  const told: string[] = [];
  return { clock, told, pods: new DuePods(clock, (uid) => told.push(uid)) };
};

test('every volume that wants it is due once a minute, each for itself', async () => {
  const { clock, told, pods } = made();
  pods.done('u', 'a', true);
  pods.done('u', 'b', true);
  pods.done('u', 'once', false);
  expect(pods.isDue('u', 'a')).toBe(false);
  await clock.advance(60_000);
  expect(told).toEqual(['u']);
  expect(['a', 'b', 'once'].map((name) => pods.isDue('u', name))).toEqual([true, true, false]);
  pods.done('u', 'a', true);
  expect(['a', 'b'].map((name) => pods.isDue('u', name))).toEqual([false, true]);
  await clock.advance(60_000);
  expect(['a', 'b'].map((name) => pods.isDue('u', name))).toEqual([true, true]);
  pods.forget('u');
  expect(clock.pending).toBe(0);
  expect(pods.isDue('u', 'a')).toBe(false);
});

test('what an earlier process made is looked at once, and no more if it wants nothing', async () => {
  const { clock, told, pods } = made();
  pods.adopt('u');
  await clock.advance(60_000);
  expect(pods.isDue('u', 'a')).toBe(true);
  pods.done('u', 'a', false);
  await clock.advance(120_000);
  expect(told).toEqual(['u']);
  expect(clock.pending).toBe(0);
});

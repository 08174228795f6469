import { expect, test } from 'vitest';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { PodCidr } from './pod-cidr.ts';

function parts() {
  const clock = new FakeClock();
  const told: string[] = [];
  const state = { failing: false };
  const runtime = {
    updatePodCidr: (range: string) => {
      told.push(range);
      return state.failing ? Promise.reject(new Error('no')) : Promise.resolve();
    },
  };
  return { clock, told, state, cidr: new PodCidr({ runtime, clock, logger: silentLogger }) };
}

test('tells each range once, and nothing of none', async () => {
  const { told, cidr } = parts();
  for (const ranges of [[], ['10.1.0.0/24'], ['10.1.0.0/24'], [], ['10.1.0.0/24', 'fd00:1::/64']]) {
    cidr.set(ranges);
    await settle();
  }
  expect(told).toEqual(['10.1.0.0/24', '10.1.0.0/24,fd00:1::/64']);
});

test('a runtime that refuses is told again, until there is a newer range or an end', async () => {
  const { clock, told, state, cidr } = parts();
  state.failing = true;
  cidr.set(['10.1.0.0/24']);
  await clock.advance(700);
  expect(told).toHaveLength(3);
  cidr.set(['10.2.0.0/24']);
  await clock.advance(100);
  expect(told.at(-1)).toBe('10.2.0.0/24');
  cidr.stop();
  told.length = 0;
  await clock.advance(60_000);
  expect(told).toEqual([]);
});

import { expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { enforceNodeAllocatable } from './enforce-allocatable.ts';

test('tries each minute until the kernel takes it, with upstream’s events', async () => {
  const clock = new FakeClock();
  const events: string[] = [];
  let refusals = 2;
  const cgroups = {
    rootPath: '/kubepods',
    limitAll: () =>
      refusals-- > 0 ? Promise.reject(new Error('device or resource busy')) : Promise.resolve(),
  };
  const sink = { event: (...words: string[]) => void events.push(words.join(' ')) };
  const done = enforceNodeAllocatable(cgroups, sink, clock, new AbortController().signal);
  await clock.advance(120_000);
  await done;
  const failed =
    'Warning FailedNodeAllocatableEnforcement Failed to update Node Allocatable Limits "/kubepods": device or resource busy';
  expect(events).toEqual([
    failed,
    failed,
    'Normal NodeAllocatableEnforced Updated Node Allocatable limit across pods',
  ]);
});

test('ends with its signal', async () => {
  const stop = new AbortController();
  const cgroups = { rootPath: '/kubepods', limitAll: () => Promise.reject(new Error('no')) };
  const done = enforceNodeAllocatable(cgroups, { event: () => stop.abort() }, new FakeClock(), stop.signal);
  await expect(done).resolves.toBeUndefined();
});

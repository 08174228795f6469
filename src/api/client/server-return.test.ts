import { expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { ServerReturn } from './server-return.ts';

const never = new AbortController().signal;

function setUp() {
  const clock = new FakeClock();
  const server = new ServerReturn(clock, () => 0.5);
  const ended: string[] = [];
  const start = clock.monotonic();
  const wait = (name: string, ms = 60_000): void =>
    void server.wait(ms, never).then(() => ended.push(`${name} ${clock.monotonic() - start}`));
  return { clock, server, ended, wait };
}

test('who waits for a server that was away is woken by another’s answer', async () => {
  const { clock, server, ended, wait } = setUp();
  wait('a');
  wait('b');
  await clock.advance(1000);
  server.answered(true);
  await clock.advance(1000);
  expect(ended).toEqual([]);
  server.answered(false);
  await clock.advance(1000);
  server.answered(true);
  await clock.advance(500);
  expect(ended).toEqual(['a 3500', 'b 3500']);
  expect(clock.pending).toBe(0);
});

test('a path that comes and goes wakes now and then, and not for nothing', async () => {
  const { clock, server, ended, wait } = setUp();
  server.answered(false);
  server.answered(true);
  wait('a', 20_000);
  for (let second = 0; second < 4; second++) {
    server.answered(false);
    server.answered(true);
    await clock.advance(1000);
  }
  expect(ended).toEqual([]);
  await clock.advance(1000);
  // That it was away in between is not forgotten.
  server.answered(true);
  await clock.advance(500);
  expect(ended).toEqual(['a 5500']);
});

test('otherwise it takes its time, or ends with the signal', async () => {
  const { clock, server, ended, wait } = setUp();
  wait('a', 2000);
  await clock.advance(2000);
  expect(ended).toEqual(['a 2000']);
  const stop = new AbortController();
  const stopped = server.wait(2000, stop.signal).catch((error: unknown) => error);
  stop.abort(new Error('enough'));
  expect(await stopped).toMatchObject({ message: 'enough' });
  expect(clock.pending).toBe(0);
});

import { expect, test } from 'vitest';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { Refreshed } from './refreshed.ts';

function source() {
  const waiting: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  return {
    waiting,
    read: () => new Promise<string>((resolve, reject) => waiting.push({ resolve, reject })),
  };
}

test('reads when it is due, once for all who ask, and not before', async () => {
  const clock = new FakeClock();
  const { waiting, read } = source();
  const value = new Refreshed(read, 1000, clock);
  const both = Promise.all([value.get(100), value.get(100)]);
  waiting[0]!.resolve('a');
  expect(await both).toEqual(['a', 'a']);
  await clock.advance(999);
  expect(await value.get(100)).toBe('a');
  expect(waiting).toHaveLength(1);
  await clock.advance(1);
  const next = value.get(100);
  waiting[1]!.resolve('b');
  expect(await next).toBe('b');
});

test('a reading that takes long is waited for so long, and counts when it comes', async () => {
  const clock = new FakeClock();
  const { waiting, read } = source();
  const value = new Refreshed(read, 1000, clock);
  const first = value.get(100);
  await clock.advance(100);
  expect(await first).toBeUndefined();
  waiting[0]!.resolve('late');
  await settle();
  expect(await value.get(0)).toBe('late');
  expect(waiting).toHaveLength(1);
});

test('a failure leaves the last good value, and is tried again after a third of the age', async () => {
  const clock = new FakeClock();
  const { waiting, read } = source();
  const value = new Refreshed(read, 900, clock);
  const first = value.get(100);
  waiting[0]!.resolve('good');
  await first;
  await clock.advance(900);
  const second = value.get(100);
  waiting[1]!.reject(new Error('no'));
  expect(await second).toBe('good');
  await clock.advance(299);
  await value.get(0);
  expect(waiting).toHaveLength(2);
  await clock.advance(1);
  void value.get(0);
  expect(waiting).toHaveLength(3);
});

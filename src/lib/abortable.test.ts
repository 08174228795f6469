import { describe, expect, test } from 'vitest';
import { LinkedAbort, abortable } from './abortable.ts';
import { FakeClock } from './testing/fake-clock.ts';

const caught = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe('abortable', () => {
  test('gives what the promise gives', async () => {
    const { signal } = new AbortController();
    expect(await abortable(Promise.resolve(1), signal)).toBe(1);
    const error = new Error('no');
    expect(await caught(abortable(Promise.reject(error), signal))).toBe(error);
  });

  test('or the reason, whichever is first', async () => {
    const stop = new AbortController();
    const { promise, reject } = Promise.withResolvers<void>();
    const result = caught(abortable(promise, stop.signal));
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await result).toBe(reason);
    reject(new Error('late, and nobody minds'));
    expect(await caught(abortable(new Promise(() => undefined), stop.signal))).toBe(reason);
  });
});

describe('LinkedAbort', () => {
  const late = (): Error => new Error('late');
  const setUp = () => {
    const clock = new FakeClock();
    const outer = new AbortController();
    return { clock, outer, linked: new LinkedAbort(outer.signal, { clock, ms: 100, late }) };
  };

  test('aborts with the outer signal', async () => {
    const { outer, linked } = setUp();
    const reason = new Error('outer');
    outer.abort(reason);
    expect(linked.signal.reason).toBe(reason);
    expect(new LinkedAbort(outer.signal).signal.reason).toBe(reason);
  });

  test('aborts at its deadline, unless that is cleared', async () => {
    const { clock, linked } = setUp();
    await clock.advance(99);
    expect(linked.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(linked.signal.reason).toEqual(late());
    const other = setUp();
    other.linked.clearDeadline();
    await other.clock.advance(1000);
    expect(other.linked.signal.aborted).toBe(false);
    other.outer.abort();
    expect(other.linked.signal.aborted).toBe(true);
  });

  test('leaves nothing behind', async () => {
    const { clock, outer, linked } = setUp();
    linked[Symbol.dispose]();
    outer.abort();
    await clock.advance(1000);
    expect([linked.signal.aborted, clock.pending]).toEqual([false, 0]);
  });
});

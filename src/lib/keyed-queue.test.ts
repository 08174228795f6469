import { describe, expect, test } from 'vitest';
import { KeyedQueue } from './keyed-queue.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';

describe('KeyedQueue', () => {
  function fixture() {
    const clock = new FakeClock();
    const runs: string[] = [];
    const blocks = new Map<string, () => void>();
    let blocking = false;
    const queue = new KeyedQueue(clock, async (key) => {
      runs.push(`${key}@${clock.monotonic() - start}`);
      if (blocking) await new Promise<void>((resolve) => blocks.set(key, resolve));
    });
    const start = clock.monotonic();
    return { clock, runs, blocks, queue, block: () => (blocking = true), unblock: () => (blocking = false) };
  }

  test('runs a key once however often it is added', async () => {
    const { queue, runs } = fixture();
    queue.add('a');
    queue.add('a');
    queue.add('b');
    await settle();
    expect(runs).toEqual(['a@0', 'b@0']);
  });

  test('brings forward and never pushes back', async () => {
    const { queue, runs, clock } = fixture();
    queue.add('a', 1000);
    queue.add('a', 5000);
    queue.add('b', 5000);
    queue.add('b', 200);
    await clock.advance(10_000);
    expect(runs).toEqual(['b@200', 'a@1000']);
  });

  test('never runs a key twice at once, and runs it again when it was added meanwhile', async () => {
    const { queue, runs, blocks, block, unblock } = fixture();
    block();
    queue.add('a');
    await settle();
    queue.add('a');
    queue.add('a');
    await settle();
    expect(runs).toEqual(['a@0']);
    unblock();
    blocks.get('a')?.();
    await settle();
    expect(runs).toEqual(['a@0', 'a@0']);
  });

  test('stop waits for what runs and starts nothing more', async () => {
    const { queue, runs, blocks, block, clock } = fixture();
    block();
    queue.add('a');
    queue.add('b', 100);
    await settle();
    let stopped = false;
    const stop = queue.stop().then(() => (stopped = true));
    await clock.advance(1000);
    expect(stopped).toBe(false);
    blocks.get('a')?.();
    await stop;
    expect(runs).toEqual(['a@0']);
  });

  test('exclusively keeps the work of its key out, and that work runs afterwards', async () => {
    const { queue, runs } = fixture();
    let release = (): void => undefined;
    const held = queue.exclusively('a', () => new Promise<void>((resolve) => (release = resolve)));
    queue.add('a');
    queue.add('b');
    await settle();
    expect(runs).toEqual(['b@0']);
    release();
    await held;
    await settle();
    expect(runs).toEqual(['b@0', 'a@0']);
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeRuntime } from '#cri/testing/fake-runtime.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { RuntimeHealth } from './runtime-health.ts';
import { runtimeTroubles } from './node/runtime-troubles.ts';

let clock: FakeClock;
let runtime: FakeRuntime;
let health: RuntimeHealth;
let changes: number;

beforeEach(async () => {
  clock = new FakeClock();
  runtime = new FakeRuntime(clock);
  changes = 0;
  health = new RuntimeHealth(runtime, clock, () => void changes++);
  await health.refresh();
  health.start();
  changes = 0;
});
afterEach(() => health.stop());

describe('RuntimeHealth', () => {
  test('a network that goes and comes is told of within two seconds', async () => {
    runtime.networkReady = false;
    await clock.advance(2000);
    expect(changes).toBe(1);
    expect(runtimeTroubles(health.word)).toHaveLength(1);
    runtime.networkReady = true;
    await clock.advance(500);
    expect(changes).toBe(2);
    expect(runtimeTroubles(health.word)).toEqual([]);
  });

  test('the same answer again is no change', async () => {
    await clock.advance(60_000);
    expect(changes).toBe(0);
  });

  test('a stopped one asks no more', async () => {
    health.stop();
    runtime.networkReady = false;
    await clock.advance(60_000);
    expect(changes).toBe(0);
  });
});

test('a runtime that is away counts as down only after half a minute', async () => {
  const broken = { status: () => Promise.reject(new Error('away')) };
  let source: Pick<FakeRuntime, 'status'> = runtime;
  let told = 0;
  const watched = new RuntimeHealth(
    { status: (options) => source.status(options) },
    clock,
    () => void told++,
  );
  await watched.refresh();
  source = broken;
  await clock.advance(29_000);
  await watched.refresh();
  expect(watched.latest).toBeInstanceOf(Error);
  expect(runtimeTroubles(watched.word)).toEqual([]);
  told = 0;
  await clock.advance(1000);
  await watched.refresh();
  expect(runtimeTroubles(watched.word)).toEqual(['container runtime is down']);
  expect(told).toBe(1);
});

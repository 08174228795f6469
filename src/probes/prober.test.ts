import { expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import type { CommandResult } from './exec-probe.ts';
import { type ProbeTarget, probe } from './prober.ts';

const { signal } = new AbortController();
const clock = new FakeClock();

/** Runs that fail to be made, then one that ends with 1. */
function flaky(failures: number): { target: ProbeTarget; runs: () => number } {
  let runs = 0;
  const run = (): Promise<CommandResult> =>
    ++runs <= failures
      ? Promise.reject(new Error(`broken ${runs}`))
      : Promise.resolve({ kind: 'exited', exitCode: 1, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) });
  return { target: { kind: 'exec', command: ['x'], run }, runs: () => runs };
}

test('a probe that fails by itself is made three times at most; a result is a result', async () => {
  const twice = flaky(2);
  expect((await probe(twice.target, 1, clock, signal)).kind).toBe('failure');
  expect(twice.runs()).toBe(3);
  const thrice = flaky(3);
  expect(await probe(thrice.target, 1, clock, signal)).toEqual({ kind: 'error', words: 'broken 3' });
  expect(thrice.runs()).toBe(3);
});

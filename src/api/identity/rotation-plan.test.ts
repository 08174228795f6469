import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Leaf } from './key-pair.ts';
import { planRotation, untilRotation } from './rotation-plan.ts';

const leaf = (notBefore: number, notAfter: number): Leaf => ({
  commonName: 'x',
  organizations: [],
  notBefore,
  notAfter,
  chainNotAfter: notAfter,
  fingerprint: 'f',
  coversDns: () => false,
  coversIp: () => false,
});

test('between 70 and 90 % of the lifetime', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1000 }), (share, life) => {
      const due = untilRotation(planRotation(leaf(0, life), share, { now: 0, monotonic: 5 }, false), {
        now: 0,
        monotonic: 5,
      });
      expect(due).toBeGreaterThanOrEqual(life * 0.699);
      expect(due).toBeLessThanOrEqual(life * 0.9);
    }),
  );
});

test.each([
  ['the clock stands as before', { now: 0, monotonic: 0 }, 800],
  ['time went by', { now: 300, monotonic: 300 }, 500],
  ['the wall clock jumped ahead', { now: 900, monotonic: 10 }, 0],
  ['the wall clock was set back', { now: -5000, monotonic: 300 }, 500],
])('%s', (_name, at, expected) => {
  const plan = planRotation(leaf(0, 1000), 0.5, { now: 0, monotonic: 0 }, false);
  expect(untilRotation(plan, at)).toBe(expected);
});

test('a fresh certificate that seems old counts from now', () => {
  const at = { now: 5000, monotonic: 70 };
  const plan = planRotation(leaf(0, 1000), 0.5, at, true);
  expect(untilRotation(plan, at)).toBe(800);
  expect(untilRotation(planRotation(leaf(0, 1000), 0.5, at, false), at)).toBe(0);
});

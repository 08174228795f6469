import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

describe('editDistance', () => {
  test.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'abd', 1],
    ['abc', 'acb', 1],
    ['abc', '', 3],
    ['kubeconfig', 'kube-config', 1],
  ])('%j and %j: %d', (a, b, distance) => expect(editDistance(a, b)).toBe(distance));

  test('is symmetric', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
      }),
    );
  });
});

test.each([
  ['get', undefined],
  ['hostname-overide', 'hostname-override'],
  ['max-pod', 'max-pods'],
  ['completely-different', undefined],
])('nearest to %s: %s', (word, expected) => {
  expect(nearest(word, ['hostname-override', 'max-pods', 'node-ip'])).toBe(expected);
});

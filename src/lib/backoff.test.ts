import { describe, expect, test } from 'vitest';
import { KeyedBackoff } from './backoff.ts';

describe('KeyedBackoff', () => {
  test('doubles with each failure up to the maximum, for each key by itself', () => {
    const backoff = new KeyedBackoff(10, 300);
    const delays = [];
    let now = 0;
    for (let failure = 0; failure < 8; failure++) {
      delays.push(backoff.next('a', now));
      now += backoff.remaining('a', now);
    }
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
    expect(backoff.next('b', now)).toBe(10);
  });

  test.each([
    [0, 10],
    [4, 6],
    [10, 0],
    [11, 0],
  ])('%i after the failure, %i remain', (after, left) => {
    const backoff = new KeyedBackoff(10, 300);
    backoff.next('a', 1000);
    expect(backoff.remaining('a', 1000 + after)).toBe(left);
  });

  test.each([
    [600, 20],
    [601, 10],
  ])('a failure %i after the last one waits %i', (after, delay) => {
    const backoff = new KeyedBackoff(10, 300);
    backoff.next('a', 0);
    expect(backoff.next('a', after)).toBe(delay);
  });

  test('collects what has expired', () => {
    const backoff = new KeyedBackoff(10, 300);
    backoff.next('old', 0);
    backoff.next('young', 100);
    expect(backoff.collect(650)).toEqual(['old']);
    expect(backoff.collect(650)).toEqual([]);
    expect(backoff.next('young', 650)).toBe(20);
  });
});

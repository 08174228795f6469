import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from './go-duration.ts';

describe('parseDuration', () => {
  test.each([
    ['0', 0],
    ['+0', 0],
    ['20s', 20_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['.5m', 30_000],
    ['2.h', 7_200_000],
    ['300ms', 300],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['-2m', -120_000],
    ['1m1s1ms', 61_001],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  test.each(['', '5', '-', '1d', '1 s', 's', '1s2', '.s', '1..2s', '0x10s', '1e3s', 'NaN', '+-1s', '1s '])(
    '%j is no duration',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test('parts add up', () => {
    const part = fc.tuple(
      fc.nat(999),
      fc.constantFrom<[string, number]>(['ms', 1], ['s', 1000], ['m', 60_000]),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.map(([count, [unit]]) => `${count}${unit}`).join('');
        expect(parseDuration(text)).toBe(parts.reduce((sum, [count, [, ms]]) => sum + count * ms, 0));
      }),
    );
  });
});

describe('formatDuration', () => {
  test.each([
    [0, '0s'],
    [20_000, '20s'],
    [60_000, '1m0s'],
    [5_400_000, '1h30m0s'],
    [1500, '1.5s'],
    [300, '300ms'],
    [-120_000, '-2m0s'],
    [0.001, '1µs'],
    [0.000001, '1ns'],
  ])('%d ms is %s, as Go prints it', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('is read back as it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 6);
      }),
    );
  });
});

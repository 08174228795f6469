import { describe, expect, test } from 'vitest';
import { age, humanSpan } from './age.ts';

const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];

describe('humanSpan', () => {
  test.each([
    [-5 * second, '<invalid>'],
    [-1 * second, '0s'],
    [0, '0s'],
    [999, '0s'],
    [119 * second, '119s'],
    [120 * second, '2m'],
    [200 * second, '3m20s'],
    [10 * minute + 59 * second, '10m'],
    [179 * minute, '179m'],
    [3 * hour, '3h'],
    [3 * hour + 5 * minute, '3h5m'],
    [8 * hour + 59 * minute, '8h'],
    [47 * hour, '47h'],
    [2 * day, '2d'],
    [2 * day + 3 * hour, '2d3h'],
    [8 * day + 3 * hour, '8d'],
    [729 * day, '729d'],
    [730 * day, '2y'],
    [765 * day, '2y35d'],
    [8 * 365 * day + 20 * day, '8y'],
  ])('%d ms: %s', (ms, text) => expect(humanSpan(ms)).toBe(text));
});

test.each([
  ['2026-01-01T00:00:00Z', '5m'],
  [undefined, '<unknown>'],
  ['soon', '<unknown>'],
])('age of %s: %s', (time, text) => expect(age(time, Date.UTC(2026, 0, 1, 0, 5))).toBe(text));

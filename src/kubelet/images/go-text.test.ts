import { expect, test } from 'vitest';
import { goDuration, goJson } from './go-text.ts';

test.each([
  [0, '0s'],
  [0.9, '0s'],
  [1, '1ms'],
  [999.9, '999ms'],
  [1000, '1s'],
  [1500, '1.5s'],
  [61_001, '1m1.001s'],
  [120_000, '2m0s'],
  [3_600_000, '1h0m0s'],
  [3_723_040, '1h2m3.04s'],
])('goDuration(%d)', (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});

test('goJson escapes what Go escapes', () => {
  expect(goJson({ a: '<b> & \u2028"' })).toBe('{"a":"\\u003cb\\u003e \\u0026 \\u2028\\""}');
});

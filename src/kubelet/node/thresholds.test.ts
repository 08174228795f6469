import { describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { DEFAULT_HARD_THRESHOLDS, parseHardThresholds, thresholdAmount } from './thresholds.ts';

describe('parseHardThresholds', () => {
  test.each([
    ['memory.available', '100Mi', 1000, 100 * 1024 ** 2],
    ['memory.available', '10%', 1000, 100],
    ['nodefs.inodesFree', '5%', 999, 49],
    ['imagefs.available', '12.5%', 800, 100],
    ['pid.available', '500', 1000, 500],
  ])('%s<%s of %i', (signal, text, capacity, amount) => {
    const [threshold] = parseHardThresholds({ [signal]: text });
    expect(threshold?.signal).toBe(signal);
    expect(thresholdAmount(threshold!, capacity)).toBe(amount);
  });

  test.each(['0%', '100%'])('%s switches the signal off', (text) => {
    expect(parseHardThresholds({ 'memory.available': text })).toEqual([]);
  });

  test.each([
    [{ 'memory.free': '1Mi' }, 'memory.free'],
    [{ 'memory.available': '0' }, 'memory.available'],
    [{ 'memory.available': '-1Mi' }, 'memory.available'],
    [{ 'memory.available': '101%' }, 'memory.available'],
    [{ 'memory.available': '-1%' }, 'memory.available'],
    [{ 'memory.available': 'much' }, 'much'],
  ])('%j is refused, naming the trouble', (values, named) => {
    expect(() => parseHardThresholds(values as Record<string, string>)).toThrow(UsageError);
    expect(() => parseHardThresholds(values as Record<string, string>)).toThrow(named);
  });

  test('10% of a disk is what kubelet makes of it, in its precision', () => {
    const nodefs = DEFAULT_HARD_THRESHOLDS.find(({ signal }) => signal === 'nodefs.available');
    expect(thresholdAmount(nodefs!, 101_427_703_808)).toBe(10_142_770_531);
  });
});

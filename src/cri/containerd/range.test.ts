import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choosePodRange, isInRange, parseRange, routedRanges } from './range.ts';

describe('choosePodRange', () => {
  test.each([
    [[], '10.87.0.0/16'],
    [['10.87.5.0/24'], '10.89.0.0/16'],
    [['10.0.0.0/8'], '172.29.0.0/16'],
    [['10.86.0.0/15', '10.88.0.0/15', '192.168.0.0/16', 'fe80::/64'], '10.188.0.0/16'],
  ])('beside %j it is %s', (routed, range) => {
    expect(choosePodRange(undefined, routed)).toBe(range);
  });

  test('a free wish is granted', () => {
    expect(choosePodRange('10.1.0.0/24', ['10.2.0.0/16', '127.0.0.0/8'])).toBe('10.1.0.0/24');
  });

  test.each([
    ['10.1.0.0/24', ['10.0.0.0/8'], /already routes/],
    ['10.0.0.0/8', ['10.1.2.3'], /already routes/],
    ['fd00::/64', [], /no IPv4 range/],
    ['10.1.0.0/31', [], /no IPv4 range/],
    ['10.1.0.256/24', [], /no IPv4 range/],
    ['', [], /no IPv4 range/],
  ])('the wish %j beside %j is refused', (wish, routed, message) => {
    expect(() => choosePodRange(wish, routed)).toThrow(message);
  });

  test('where everything is routed it says so', () => {
    expect(() => choosePodRange(undefined, ['0.0.0.0/1', '128.0.0.0/1'])).toThrow(/name a range/);
  });
});

test('every address of a range is in it, its neighbours are not', () => {
  const text = (address: number): string =>
    [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 32 - 2 }),
      fc.integer({ min: 1, max: 32 }),
      (address, length) => {
        const range = `${text(address)}/${length}`;
        const { first, last } = parseRange(range) ?? { first: 1, last: 0 };
        expect(last - first + 1).toBe(2 ** (32 - length));
        expect(isInRange(text(address), range)).toBe(true);
        if (first > 0) expect(isInRange(text(first - 1), range)).toBe(false);
        if (last < 2 ** 32 - 1) expect(isInRange(text(last + 1), range)).toBe(false);
      },
    ),
  );
});

test('the default route, multicast and the pods’ own bridge are no obstacle', () => {
  const answer = JSON.stringify([
    { dst: 'default', gateway: '192.0.2.1', dev: 'eth0' },
    { dst: '192.0.2.0/24', dev: 'eth0' },
    { dst: '10.88.0.0/16', dev: 'nodelet0' },
    { type: 'local', dst: '10.88.0.1', dev: 'nodelet0' },
    { type: 'blackhole', dst: '10.99.0.0/16' },
    { type: 'multicast', dst: '224.0.0.0/4', dev: 'eth0' },
  ]);
  expect(routedRanges(answer, 'nodelet0')).toEqual(['192.0.2.0/24', '10.99.0.0/16']);
  expect(routedRanges('', 'nodelet0')).toEqual([]);
});

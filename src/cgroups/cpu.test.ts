import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quotaOf, sharesOf, weightOf } from './cpu.ts';
import { hugePagesOf, pageSizeName, pageSizesOfFolder } from './hugepages.ts';
import { readAmounts } from '#lib/kube/resources.ts';

test.each([
  [0, 2],
  [1, 2],
  [2, 2],
  [3, 3],
  [100, 102],
  [200, 204],
  [1000, 1024],
  [256_000, 262_144],
  [1_000_000, 262_144],
])('%i m are %i shares', (milli, shares) => {
  expect(sharesOf(milli)).toBe(shares);
});

test.each([
  [0, 100_000, 0],
  [1, 100_000, 1000],
  [9, 100_000, 1000],
  [10, 100_000, 1000],
  [11, 100_000, 1100],
  [200, 100_000, 20_000],
  [1500, 100_000, 150_000],
  [500, 5000, 2500],
])('%i m in a period of %i us are %i us', (milli, period, quota) => {
  expect(quotaOf(milli, period)).toBe(quota);
});

test.each([
  [2, 1],
  [1024, 100],
  [262_144, 10_000],
  [300_000, 10_000],
  [102, 17],
  [512, 59],
  [2048, 174],
])('%i shares weigh %i', (shares, weight) => {
  expect(weightOf(shares)).toBe(weight);
});

test('the weight grows with the shares and stays in the range of the kernel', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 262_144 }), fc.integer({ min: 2, max: 262_144 }), (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      expect(weightOf(low)).toBeLessThanOrEqual(weightOf(high));
      expect(weightOf(low)).toBeGreaterThanOrEqual(1);
      expect(weightOf(high)).toBeLessThanOrEqual(10_000);
    }),
  );
});

test('huge page sizes have the names of the controller files', () => {
  expect([2048 * 1024, 2 ** 30, 65_536, 1536, 0].map(pageSizeName)).toEqual([
    '2MB',
    '1GB',
    '64KB',
    undefined,
    undefined,
  ]);
  expect(pageSizesOfFolder(['hugepages-2048kB', 'hugepages-1048576kB', 'other'])).toEqual(['2MB', '1GB']);
  const amounts = readAmounts(
    { 'hugepages-2Mi': '6Mi', 'hugepages-2048Ki': '2Mi', 'hugepages-x': '1', cpu: '1' },
    '',
  );
  expect([...hugePagesOf(amounts)]).toEqual([['2MB', 8 * 2 ** 20]]);
});

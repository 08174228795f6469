import { describe, expect, test } from 'vitest';
import { formatAddress, isCidr, isSingleOrDualStack, isUnspecified, parseAddress } from './addresses.ts';

test.each([
  ['10.0.0.0/8', true],
  ['fd00::/64', true],
  ['10.0.0.0/33', false],
  ['fd00::/129', false],
  ['10.0.0.0', false],
  ['10.0.0.0/8/8', false],
  ['/8', false],
])('isCidr(%j) is %s', (text, expected) => {
  expect(isCidr(text)).toBe(expected);
});

describe('addresses', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1', undefined],
    ['10.0.0.1:80', '10.0.0.1', 80],
    ['::1', '::1', undefined],
    ['[::1]:80', '::1', 80],
    ['[::]:65535', '::', 65_535],
  ])('%s', (text, ip, port) => {
    expect(parseAddress(text)).toEqual({ ip, port });
    if (port !== undefined) expect(formatAddress(ip, port)).toBe(text);
  });

  test.each(['', 'host:80', '10.0.0.1:', ':80', '[10.0.0.1]:80', '::1:x', '10.0.0.1:65536', '[::1]'])(
    '%j is none',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );
});

test.each([
  [[], true],
  [['10.0.0.0/8'], true],
  [['10.0.0.0/8', 'fd00::/64'], true],
  [['10.0.0.0/8', '11.0.0.0/8'], false],
  [['10.0.0.0/8', 'fd00::/64', 'fd01::/64'], false],
])('isSingleOrDualStack(%j) is %s', (ranges, expected) => {
  expect(isSingleOrDualStack(ranges)).toBe(expected);
});

test.each([
  ['0.0.0.0', true],
  ['::', true],
  ['0:0:0:0:0:0:0:0', true],
  ['::1', false],
  ['10.0.0.0', false],
  ['x', false],
])('isUnspecified(%j) is %s', (text, expected) => {
  expect(isUnspecified(text)).toBe(expected);
});

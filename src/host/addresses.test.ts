import { describe, expect, test } from 'vitest';
import { isGlobalUnicast, parseIpv4Routes, parseIpv6Routes } from './addresses.ts';

describe('parseIpv4Routes', () => {
  const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const row = (name: string, destination: string, flags: string, metric: number, mask = '00000000'): string =>
    `${name}\t${destination}\t0101A8C0\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

  test('default routes that are up, and no others', () => {
    const text =
      head +
      row('eth1', '00000000', '0003', 200) +
      row('eth0', '00000000', '0003', 100) +
      row('eth0', '0001A8C0', '0001', 0, '00FFFFFF') +
      row('half', '00000000', '0001', 0, '00000080') +
      row('dead', '00000000', '0201', 0);
    expect(parseIpv4Routes(text)).toEqual([
      { family: 'IPv4', interfaceName: 'eth1', metric: 200 },
      { family: 'IPv4', interfaceName: 'eth0', metric: 100 },
    ]);
  });

  test('none in an empty table', () => {
    expect(parseIpv4Routes('')).toEqual([]);
  });
});

describe('parseIpv6Routes', () => {
  const zero = '0'.repeat(32);
  const via = `fe80${'0'.repeat(27)}1`;

  test('default routes that are up, and no others', () => {
    const text = [
      `${zero} 00 ${zero} 00 ${via} 00000400 00000001 00000000 00450003     eth0`,
      `20010db8${'0'.repeat(24)} 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0`,
      `${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo`,
    ].join('\n');
    expect(parseIpv6Routes(text)).toEqual([{ family: 'IPv6', interfaceName: 'eth0', metric: 1024 }]);
  });

  test('none in an empty table', () => {
    expect(parseIpv6Routes('')).toEqual([]);
  });
});

test.each([
  ['192.0.2.1', true],
  ['10.0.0.1', true],
  ['2001:db8::1', true],
  ['fd00::1', true],
  ['127.0.0.1', false],
  ['127.1.2.3', false],
  ['169.254.1.1', false],
  ['224.0.0.1', false],
  ['0.0.0.0', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['fe80::1', false],
  ['ff02::1', false],
  ['nonsense', false],
])('isGlobalUnicast(%s) = %s', (address, expected) => {
  expect(isGlobalUnicast(address)).toBe(expected);
});

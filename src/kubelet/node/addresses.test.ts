import { describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { chooseAddresses, providedNodeIp, validateNodeIps } from './addresses.ts';
import type { AddressFacts, AddressSettings } from './addresses.ts';

const settings: AddressSettings = { nodeName: 'n1', hostname: 'n1', nodeIps: [], cloudProvider: '' };
const facts: AddressFacts = {
  local: new Set(['127.0.0.1', '192.0.2.10', '192.0.2.11', '2001:db8::10', '2001:db8::11']),
  named: [],
  defaults: { IPv4: '192.0.2.10', IPv6: '2001:db8::10' },
};
const ips = (choice: ReturnType<typeof chooseAddresses>): string[] =>
  'addresses' in choice
    ? choice.addresses.map(({ type, address }) => (type === 'InternalIP' ? address : `${type}=${address}`))
    : [];

describe('chooseAddresses', () => {
  test.each<[string, Partial<AddressSettings>, Partial<AddressFacts>, string[]]>([
    ['the default route’s', {}, {}, ['192.0.2.10']],
    ['what the name resolves to comes first', {}, { named: ['192.0.2.11'] }, ['192.0.2.11']],
    ['but only if it is the machine’s', {}, { named: ['198.51.100.7'] }, ['192.0.2.10']],
    ['and not loopback', {}, { named: ['127.0.0.1'] }, ['192.0.2.10']],
    ['IPv4 before IPv6', {}, { named: ['2001:db8::11', '192.0.2.11'] }, ['192.0.2.11']],
    ['IPv6 where the name has no other', {}, { named: ['2001:db8::11'] }, ['2001:db8::11']],
    ['IPv6 alone', {}, { defaults: { IPv6: '2001:db8::10' } }, ['2001:db8::10']],
    [':: prefers IPv6', { nodeIps: ['::'] }, {}, ['2001:db8::10']],
    [
      ':: also of the name’s',
      { nodeIps: ['::'] },
      { named: ['192.0.2.11', '2001:db8::11'] },
      ['2001:db8::11'],
    ],
    ['0.0.0.0 prefers IPv4', { nodeIps: ['0.0.0.0'] }, {}, ['192.0.2.10']],
    ['--node-ip', { nodeIps: ['192.0.2.11'] }, { named: ['192.0.2.10'] }, ['192.0.2.11']],
    ['one of each family', { nodeIps: ['2001:db8::11', '192.0.2.11'] }, {}, ['2001:db8::11', '192.0.2.11']],
  ])('%s', (_name, changed, more, expected) => {
    const choice = chooseAddresses({ ...settings, ...changed }, { ...facts, ...more });
    expect(ips(choice)).toEqual([...expected, 'Hostname=n1']);
  });

  test('a host name that is an address is the address', () => {
    expect(ips(chooseAddresses({ ...settings, hostname: '203.0.113.5' }, facts))).toEqual([
      '203.0.113.5',
      'Hostname=203.0.113.5',
    ]);
  });

  test.each<[string, Partial<AddressSettings>, Partial<AddressFacts>, RegExp]>([
    ['--node-ip of another machine', { nodeIps: ['198.51.100.7'] }, {}, /--node-ip 198\.51\.100\.7/],
    ['no address at all', {}, { defaults: {} }, /set --node-ip/],
  ])('%s is told', (_name, changed, more, trouble) => {
    const choice = chooseAddresses({ ...settings, ...changed }, { ...facts, ...more });
    expect('trouble' in choice ? choice.trouble : '').toMatch(trouble);
  });

  describe('with an external cloud provider', () => {
    const cloud: AddressSettings = { ...settings, cloudProvider: 'external' };
    const provided = [{ type: 'ExternalIP', address: '203.0.113.9' }];

    test('what it has written stays', () => {
      expect(chooseAddresses({ ...cloud, nodeIps: ['192.0.2.11'] }, facts, provided)).toEqual({
        addresses: provided,
      });
    });

    test('without --node-ip only the host name is told', () => {
      expect(ips(chooseAddresses(cloud, facts))).toEqual(['Hostname=n1']);
    });

    test('with --node-ip, also 0.0.0.0, an address until the provider has its say', () => {
      expect(ips(chooseAddresses({ ...cloud, nodeIps: ['192.0.2.11'] }, facts))[0]).toBe('192.0.2.11');
      expect(ips(chooseAddresses({ ...cloud, nodeIps: ['0.0.0.0'] }, facts))[0]).toBe('192.0.2.10');
    });
  });
});

test.each<[Partial<AddressSettings>, string | undefined]>([
  [{}, undefined],
  [{ nodeIps: ['192.0.2.11'] }, undefined],
  [{ cloudProvider: 'external' }, undefined],
  [{ cloudProvider: 'external', nodeIps: ['::'] }, undefined],
  [{ cloudProvider: 'external', nodeIps: ['192.0.2.11'] }, '192.0.2.11'],
  [{ cloudProvider: 'external', nodeIps: ['192.0.2.11', '2001:db8::11'] }, '192.0.2.11,2001:db8::11'],
])('the annotation for %j', (changed, expected) => {
  expect(providedNodeIp({ ...settings, ...changed })).toBe(expected);
});

describe('validateNodeIps', () => {
  test.each([[[]], [['192.0.2.1']], [['::']], [['0.0.0.0']], [['192.0.2.1', '2001:db8::1']]])(
    '%j',
    (nodeIps) => {
      expect(() => validateNodeIps(nodeIps)).not.toThrow();
    },
  );

  test.each([
    [['nonsense']],
    [['127.0.0.1']],
    [['::1']],
    [['fe80::1']],
    [['224.0.0.1']],
    [['192.0.2.1', '192.0.2.2']],
    [['192.0.2.1', '::']],
    [['192.0.2.1', '2001:db8::1', '192.0.2.3']],
  ])('%j is refused with the value and what is allowed', (nodeIps) => {
    expect(() => validateNodeIps(nodeIps)).toThrow(UsageError);
    expect(() => validateNodeIps(nodeIps)).toThrow(/--node-ip.*allowed: one address/s);
  });
});

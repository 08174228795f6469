import { expect, test } from 'vitest';
import { servingOrder } from './serving-order.ts';

test('names and addresses, sorted and each once', () => {
  const order = servingOrder(
    'n1',
    [
      { type: 'Hostname', address: 'n1' },
      { type: 'InternalIP', address: '10.0.0.2' },
      { type: 'ExternalIP', address: '10.0.0.1' },
      { type: 'InternalIP', address: 'FD00:0:0:0:0:0:0:1' },
      { type: 'InternalDNS', address: 'n1.example' },
      { type: 'ExternalDNS', address: 'n1.example' },
      { type: 'Hostname', address: '10.0.0.2' },
      { type: 'ExternalIP', address: 'not-an-address' },
      { type: 'InternalDNS', address: '' },
    ],
    false,
  );
  expect(order?.subject).toEqual({
    commonName: 'system:node:n1',
    organizations: ['system:nodes'],
    dnsNames: ['n1', 'n1.example'],
    ips: ['10.0.0.1', '10.0.0.2', 'fd00::1'],
  });
});

test.each([
  ['no addresses', [], true, false],
  ['a name only', [{ type: 'Hostname', address: 'n1' }], false, false],
  ['a name only, which the gate allows', [{ type: 'Hostname', address: 'n1' }], true, true],
  ['an address', [{ type: 'InternalIP', address: '10.0.0.1' }], false, true],
])('%s', (_name, addresses, allowDnsOnly, isEnough) => {
  expect(servingOrder('n1', addresses, allowDnsOnly) !== undefined).toBe(isEnough);
});

import { expect, test } from 'vitest';
import { rangeOfConflist, renderConflist } from './network.ts';

const network = { name: 'n0', bridge: 'n0', range: '10.9.0.0/16', reservations: '/run/x' };

const types = (text: string): string[] =>
  (JSON.parse(text) as { plugins: { type: string }[] }).plugins.map((plugin) => plugin.type);

test('is a bridge with host ports, and leaves NAT to the agent', () => {
  const text = renderConflist(network);
  expect(types(text)).toEqual(['bridge', 'portmap']);
  expect(JSON.parse(text)).toMatchObject({
    name: 'n0',
    plugins: [
      { bridge: 'n0', isGateway: true, ipMasq: false, ipam: { type: 'host-local', dataDir: '/run/x' } },
      { capabilities: { portMappings: true } },
    ],
  });
});

test('opens a firewall that drops what is forwarded', () => {
  expect(types(renderConflist({ ...network, openFirewall: true }))).toEqual([
    'bridge',
    'portmap',
    'firewall',
  ]);
});

test.each([
  [renderConflist(network), '10.9.0.0/16'],
  ['', undefined],
  ['{"subnet": "fd00::/64"}', undefined],
])('the range of %j is %s', (text, range) => {
  expect(rangeOfConflist(text)).toBe(range);
});

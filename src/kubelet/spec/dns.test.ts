import { describe, expect, test } from 'vitest';
import type { AgentPod, PodSpec } from '#lib/kube/types.ts';
import { type NodeDns, parseResolvConf, podDns } from './dns.ts';
import { searchProblem } from './dns-limits.ts';

const node: NodeDns = {
  resolvConf: 'nameserver 192.0.2.53\nsearch example.com\noptions timeout:1\n',
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  nodeIps: ['192.0.2.1'],
  expectsClusterDns: true,
};
const pod = (spec: Partial<PodSpec>): AgentPod => ({
  metadata: { name: 'web', namespace: 'ns', uid: 'u1' },
  spec: { containers: [], ...spec },
});
const hosts = { servers: ['192.0.2.53'], searches: ['example.com'], options: ['timeout:1'] };
const clusters = {
  servers: ['10.96.0.10'],
  searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.com'],
  options: ['ndots:5'],
};

test('resolv.conf: servers add up, the last search line and the last option of a name count', () => {
  const text = [
    '# nameserver 1.1.1.1',
    '  nameserver\t192.0.2.53  # not part of it',
    'nameserver 2001:db8::53',
    'nameserver',
    'search old.example',
    'search a.example. b.example .',
    'options ndots:1 rotate',
    'options ndots:2',
    'domain ignored.example',
    '',
  ];
  expect(parseResolvConf(text.join('\r\n'))).toEqual({
    servers: ['192.0.2.53', '2001:db8::53'],
    searches: ['a.example', 'b.example'],
    options: ['ndots:2', 'rotate'],
  });
});

describe('dnsPolicy', () => {
  test.each<[string, Partial<PodSpec>, Partial<NodeDns>, object]>([
    ['unset', {}, {}, clusters],
    ['ClusterFirst', { dnsPolicy: 'ClusterFirst' }, {}, clusters],
    ['ClusterFirst on the node’s network', { dnsPolicy: 'ClusterFirst', hostNetwork: true }, {}, hosts],
    ['WithHostNet', { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, {}, clusters],
    ['Default', { dnsPolicy: 'Default' }, {}, hosts],
    ['None', { dnsPolicy: 'None' }, {}, { servers: [], searches: [], options: [] }],
    [
      'Default without resolv.conf',
      { dnsPolicy: 'Default' },
      { resolvConf: undefined, nodeIps: ['192.0.2.1', '2001:db8::1'] },
      { servers: ['127.0.0.1', '::1'], searches: ['.'], options: [] },
    ],
    [
      'Default without resolv.conf and address',
      { dnsPolicy: 'Default' },
      { resolvConf: undefined, nodeIps: [] },
      { servers: ['127.0.0.1'], searches: ['.'], options: [] },
    ],
    [
      'ClusterFirst without resolv.conf',
      {},
      { resolvConf: undefined },
      { ...clusters, searches: clusters.searches.slice(0, 3) },
    ],
    ['no cluster domain', {}, { clusterDomain: '' }, { ...clusters, searches: ['example.com'] }],
    [
      'a host search that is the cluster’s',
      {},
      { resolvConf: 'search cluster.local x' },
      { ...clusters, searches: [...clusters.searches.slice(0, 3), 'x'] },
    ],
    ['no cluster DNS', {}, { clusterDns: [] }, hosts],
  ])('%s', (_what, spec, more, expected) => {
    expect(podDns(pod(spec), { ...node, ...more }).config).toEqual(expected);
  });
});

test('dnsConfig is merged: what is there comes first, options of the pod win', () => {
  const dnsConfig = {
    nameservers: ['1.1.1.1', '192.0.2.53'],
    searches: ['own.example', 'example.com'],
    options: [{ name: 'timeout', value: '3' }, { name: 'edns0' }, { name: 'rotate', value: '' }],
  };
  expect(podDns(pod({ dnsPolicy: 'Default', dnsConfig }), node).config).toEqual({
    servers: ['192.0.2.53', '1.1.1.1'],
    searches: ['example.com', 'own.example'],
    options: ['timeout:3', 'edns0', 'rotate'],
  });
  expect(podDns(pod({ dnsPolicy: 'None', dnsConfig }), node).config.servers).toEqual(dnsConfig.nameservers);
});

describe('a missing cluster DNS', () => {
  const words =
    'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. ' +
    'Falling back to "Default" policy.';
  test.each<[Partial<PodSpec>, boolean, number]>([
    [{}, true, 1],
    [{}, false, 0],
    [{ dnsPolicy: 'ClusterFirstWithHostNet' }, false, 1],
    [{ dnsPolicy: 'ClusterFirst', hostNetwork: true }, true, 0],
    [{ dnsPolicy: 'Default' }, true, 0],
  ])('%j, expected there: %s', (spec, expectsClusterDns, count) => {
    const { warnings } = podDns(pod(spec), { ...node, clusterDns: [], expectsClusterDns });
    const warning = {
      reason: 'MissingClusterDNS',
      message: `pod: "web_ns(u1)". ${words}`,
      onNode: words,
    };
    expect(warnings).toEqual(count === 0 ? [] : [warning]);
  });
});

describe('limits', () => {
  const domains = (count: number, length = 5): string[] =>
    Array.from({ length: count }, (_each, i) => `${i}`.padStart(length, 'd'));
  const withSearches = (searches: string[]) =>
    podDns(pod({ dnsPolicy: 'None', dnsConfig: { searches } }), node);

  test('three servers', () => {
    const nameservers = ['1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4'];
    const { config, warnings } = podDns(pod({ dnsPolicy: 'None', dnsConfig: { nameservers } }), node);
    expect(config.servers).toEqual(nameservers.slice(0, 3));
    expect(warnings).toEqual([
      {
        reason: 'DNSConfigForming',
        message:
          'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 1.1.1.1 1.1.1.2 1.1.1.3',
      },
    ]);
  });

  test.each<[string, string[], number]>([
    ['32 domains', domains(32), 32],
    ['33 domains', domains(33), 32],
    ['2048 characters', [...domains(8, 227), ...domains(1, 224)], 9],
    ['2049 characters', [...domains(8, 227), ...domains(1, 225)], 8],
    ['a domain of 254 characters', ['a', 'b'.repeat(254), 'c'], 2],
    ['a domain of 253 characters', ['b'.repeat(253)], 1],
  ])('%s', (_what, searches, kept) => {
    const { config, warnings } = withSearches(searches);
    expect(config.searches).toHaveLength(kept);
    const message =
      'Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ' +
      config.searches.join(' ');
    expect(warnings).toEqual(kept === searches.length ? [] : [{ reason: 'DNSConfigForming', message }]);
  });

  test('of the node’s own file', () => {
    expect(searchProblem(domains(29), '/r', 'c.l')).toBeUndefined();
    expect(searchProblem(domains(30), '/r', '')).toBeUndefined();
    expect(searchProblem(domains(30), '/r', 'c.l')).toBe(
      "Resolv.conf file '/r' contains search line consisting of more than 29 domains!",
    );
    expect(searchProblem(['b'.repeat(254)], '/r', '')).toContain('more than allowed 253 chars');
    expect(searchProblem(domains(20, 150), '/r', '')).toContain('more than allowed 2048 chars');
  });
});

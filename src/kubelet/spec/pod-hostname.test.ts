import { expect, test } from 'vitest';
import type { AgentPod, PodSpec } from '#lib/kube/types.ts';
import { kernelHostname, podHostname } from './pod-hostname.ts';

const pod = (name: string, spec: Partial<PodSpec> = {}): AgentPod => ({
  metadata: { name, namespace: 'ns', uid: 'u' },
  spec: { containers: [{ name: 'c' }], ...spec },
});
const long = 'a'.repeat(62);

test.each<[string, AgentPod, string, string]>([
  ['its own name', pod('web-0'), 'web-0', ''],
  ['hostname', pod('web', { hostname: 'db' }), 'db', ''],
  ['an empty hostname is none', pod('web', { hostname: '' }), 'web', ''],
  ['subdomain', pod('web-0', { subdomain: 'sub' }), 'web-0', 'sub.ns.svc.cluster.local'],
  ['both', pod('web', { hostname: 'db', subdomain: 'sub' }), 'db', 'sub.ns.svc.cluster.local'],
  ['63 characters stay', pod(`${long}b`), `${long}b`, ''],
  ['more are cut', pod(`${long}bc`), `${long}b`, ''],
  ['not to end with a hyphen or dot', pod(`${'a'.repeat(60)}-.-tail`), 'a'.repeat(60), ''],
  ['hostnameOverride', pod('web', { hostnameOverride: 'a.b.example' }), 'a.b.example', ''],
  [
    'hostnameOverride wins, and has no domain',
    pod('web', { hostnameOverride: 'x', hostname: 'db', subdomain: 'sub' }),
    'x',
    '',
  ],
  ['hostnameOverride is cut', pod('web', { hostnameOverride: `${long}.b` }), long, ''],
])('%s', (_what, each, hostname, domain) => {
  expect(podHostname(each, 'cluster.local')).toEqual({ hostname, domain });
});

test('without a cluster domain the name ends with a dot, as upstream', () => {
  expect(podHostname(pod('p', { subdomain: 's' }), '').domain).toBe('s.ns.svc.');
});

test.each<[Partial<PodSpec>, RegExp]>([
  [{ hostname: 'A' }, /spec\.hostname "A": must be lower case/],
  [{ subdomain: 'a.b' }, /spec\.subdomain "a\.b"/],
  [{ hostnameOverride: '' }, /spec\.hostnameOverride ""/],
  [{ hostnameOverride: 'a b' }, /spec\.hostnameOverride "a b"/],
])('%j is refused', (spec, words) => {
  expect(() => podHostname(pod('p', spec), 'cluster.local')).toThrow(words);
});

test('the kernel is told the full name where the pod wants that, up to 64 characters', () => {
  const name = { hostname: 'h', domain: 'd'.repeat(62) };
  expect(kernelHostname(name, undefined)).toBe('h');
  expect(kernelHostname(name, false)).toBe('h');
  expect(kernelHostname(name, true)).toBe(`h.${'d'.repeat(62)}`);
  expect(kernelHostname({ hostname: 'h', domain: '' }, true)).toBe('h');
  expect(() => kernelHostname({ hostname: 'hh', domain: name.domain }, true)).toThrow(
    `failed to construct FQDN from pod hostname and cluster domain, FQDN hh.${name.domain} is too long ` +
      '(64 characters is the max, 65 characters requested)',
  );
});

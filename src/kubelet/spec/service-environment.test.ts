import { expect, test } from 'vitest';
import type { Service } from '#lib/kube/types.ts';
import { serviceEnvironment } from './service-environment.ts';

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number];
const service = (namespace: string, name: string, clusterIP: string | undefined, ports: Port[]): Service => ({
  metadata: { namespace, name },
  spec: { ...(clusterIP === undefined ? {} : { clusterIP }), ports },
});
const kubernetes = service('default', 'kubernetes', '10.0.0.1', [
  { name: 'https', port: 443, protocol: 'TCP' },
]);
const names = (services: Service[], namespace: string, links: boolean): string[] =>
  [...serviceEnvironment(services, namespace, links).keys()].filter((name) => name.endsWith('_SERVICE_HOST'));

test('variables as links of Docker had them', () => {
  const backend = service('ns', 'backend-database', '10.1.2.3', [
    { port: 8080, protocol: 'TCP', name: 'http-main' },
    { port: 53, protocol: 'UDP', name: 'dns' },
  ]);
  expect(Object.fromEntries(serviceEnvironment([backend], 'ns', true))).toEqual({
    BACKEND_DATABASE_SERVICE_HOST: '10.1.2.3',
    BACKEND_DATABASE_SERVICE_PORT: '8080',
    BACKEND_DATABASE_SERVICE_PORT_HTTP_MAIN: '8080',
    BACKEND_DATABASE_SERVICE_PORT_DNS: '53',
    BACKEND_DATABASE_PORT: 'tcp://10.1.2.3:8080',
    BACKEND_DATABASE_PORT_8080_TCP: 'tcp://10.1.2.3:8080',
    BACKEND_DATABASE_PORT_8080_TCP_PROTO: 'tcp',
    BACKEND_DATABASE_PORT_8080_TCP_PORT: '8080',
    BACKEND_DATABASE_PORT_8080_TCP_ADDR: '10.1.2.3',
    BACKEND_DATABASE_PORT_53_UDP: 'udp://10.1.2.3:53',
    BACKEND_DATABASE_PORT_53_UDP_PROTO: 'udp',
    BACKEND_DATABASE_PORT_53_UDP_PORT: '53',
    BACKEND_DATABASE_PORT_53_UDP_ADDR: '10.1.2.3',
  });
});

test('an IPv6 address is bracketed in URLs only; the protocol is TCP unless given', () => {
  const variables = serviceEnvironment([service('ns', 's', 'fd00::1', [{ port: 80 }])], 'ns', true);
  expect(variables.get('S_PORT')).toBe('tcp://[fd00::1]:80');
  expect(variables.get('S_PORT_80_TCP_ADDR')).toBe('fd00::1');
  expect(variables.get('S_SERVICE_HOST')).toBe('fd00::1');
});

const services = [
  kubernetes,
  service('ns', 'own', '10.1.0.1', [{ port: 80 }]),
  service('other', 'foreign', '10.1.0.2', [{ port: 80 }]),
  service('ns', 'headless', 'None', [{ port: 80 }]),
  service('ns', 'external', '', []),
  service('ns', 'external-too', undefined, []),
  service('ns', 'without-ports', '10.1.0.3', []),
];
test.each<[string, boolean, string[]]>([
  ['ns', true, ['KUBERNETES_SERVICE_HOST', 'OWN_SERVICE_HOST', 'WITHOUT_PORTS_SERVICE_HOST']],
  ['ns', false, ['KUBERNETES_SERVICE_HOST']],
  ['other', true, ['KUBERNETES_SERVICE_HOST', 'FOREIGN_SERVICE_HOST']],
  ['default', true, ['KUBERNETES_SERVICE_HOST']],
  ['default', false, ['KUBERNETES_SERVICE_HOST']],
])('namespace %s, service links %s', (namespace, links, expected) => {
  expect(names(services, namespace, links)).toEqual(expected);
});

test.each([true, false])("a namespace's own service kubernetes comes first, in any order (%s)", (reverse) => {
  const own = service('ns', 'kubernetes', '10.9.9.9', [{ port: 1 }]);
  const list = reverse ? [own, kubernetes] : [kubernetes, own];
  expect(serviceEnvironment(list, 'ns', true).get('KUBERNETES_SERVICE_HOST')).toBe('10.9.9.9');
  expect(serviceEnvironment(list, 'ns', false).get('KUBERNETES_SERVICE_HOST')).toBe('10.0.0.1');
});

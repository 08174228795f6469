import { testResources } from '../resources.ts';
import { namespaceContents } from './create-defaults.ts';
import { findKind } from './kinds.ts';
import type { KubeObject } from './object.ts';
import type { Registry } from './registry.ts';

const rbac = 'rbac.authorization.k8s.io';

const role = (name: string, rules: object[]): KubeObject => ({
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRole',
  metadata: { name },
  rules,
});

const rule = (group: string, resources: string[], verbs: string[]): object => ({
  apiGroups: [group],
  resources,
  verbs,
});

/** Roles that every API server has from its start, as far as a node uses them. */
const roles: readonly KubeObject[] = [
  role('system:node-bootstrapper', [
    rule('certificates.k8s.io', ['certificatesigningrequests'], ['create', 'get', 'list', 'watch']),
  ]),
  role('system:node-proxier', [
    rule('', ['services', 'endpoints'], ['list', 'watch']),
    rule('', ['nodes'], ['get', 'list', 'watch']),
    rule('', ['events'], ['create', 'patch', 'update']),
    rule('networking.k8s.io', ['servicecidrs'], ['list', 'watch']),
    rule('discovery.k8s.io', ['endpointslices'], ['list', 'watch']),
  ]),
];

/** The namespaces, roles and the `kubernetes` service of a fresh cluster. */
export function seed(registry: Registry, ca: string, address: string, port: number, now: number): void {
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    registry.create(testResources.namespaces, undefined, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    for (const [plural, object] of namespaceContents(name, ca, now)) {
      registry.create(findKind('', plural)!, name, object);
    }
  }
  for (const each of roles) registry.create(testResources.clusterRoles, undefined, each);
  registry.create(testResources.clusterRoleBindings, undefined, {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'system:node-proxier' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'system:node-proxier' },
    subjects: [{ apiGroup: rbac, kind: 'User', name: 'system:kube-proxy' }],
  });
  registry.create(testResources.services, 'default', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.0.0.1',
      clusterIPs: ['10.0.0.1'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
    },
    status: { loadBalancer: {} },
  });
  registry.create(testResources.endpointSlices, 'default', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    ports: [{ name: 'https', port, protocol: 'TCP' }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  });
}

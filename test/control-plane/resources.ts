import { resources } from '#lib/kube/client.ts';
import type { Resource } from '#lib/kube/client.ts';

const rbac = (plural: string, namespaced: boolean): Resource => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural,
  namespaced,
});

const namespacedOf = (group: string, plural: string): Resource => ({
  group,
  version: 'v1',
  plural,
  namespaced: true,
});

/** The agent's kinds and those that only tests touch. */
export const testResources = {
  ...resources,
  namespaces: { group: '', version: 'v1', plural: 'namespaces', namespaced: false },
  priorityClasses: {
    group: 'scheduling.k8s.io',
    version: 'v1',
    plural: 'priorityclasses',
    namespaced: false,
  },
  storageClasses: { group: 'storage.k8s.io', version: 'v1', plural: 'storageclasses', namespaced: false },
  resourceSlices: { group: 'resource.k8s.io', version: 'v1', plural: 'resourceslices', namespaced: false },
  deployments: namespacedOf('apps', 'deployments'),
  replicaSets: namespacedOf('apps', 'replicasets'),
  statefulSets: namespacedOf('apps', 'statefulsets'),
  daemonSets: namespacedOf('apps', 'daemonsets'),
  jobs: namespacedOf('batch', 'jobs'),
  cronJobs: namespacedOf('batch', 'cronjobs'),
  roles: rbac('roles', true),
  roleBindings: rbac('rolebindings', true),
  clusterRoles: rbac('clusterroles', false),
  clusterRoleBindings: rbac('clusterrolebindings', false),
} as const satisfies Record<string, Resource>;

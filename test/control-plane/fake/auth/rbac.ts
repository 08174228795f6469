import { testResources } from '../../resources.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceRequest } from '../request.ts';
import type { Store } from '../store.ts';
import type { User } from '../user.ts';

interface Rule {
  verbs?: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
}

interface Binding extends KubeObject {
  subjects?: { kind: string; name: string; namespace?: string }[];
  roleRef: { kind: string; name: string };
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.includes('*') === true || list?.includes(value) === true;

function isBound(user: User, { subjects = [] }: Binding): boolean {
  return subjects.some(({ kind, name, namespace }) => {
    if (kind === 'Group') return user.groups.includes(name);
    return user.name === (kind === 'User' ? name : `system:serviceaccount:${namespace}:${name}`);
  });
}

function allows(rules: readonly Rule[], request: ResourceRequest): boolean {
  const { kind, verb, name, subresource } = request;
  const resource = subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`;
  return rules.some(
    (rule) =>
      has(rule.verbs, verb) &&
      has(rule.apiGroups, kind.group) &&
      has(rule.resources, resource) &&
      (rule.resourceNames === undefined || rule.resourceNames.includes(name ?? '')),
  );
}

/** Whether the roles and bindings in the store allow it. */
export function rbacAllows(store: Store, user: User, request: ResourceRequest): boolean {
  const bindings = [
    ...store.list(testResources.clusterRoleBindings),
    ...(request.namespace === undefined ? [] : store.list(testResources.roleBindings, request.namespace)),
  ] as Binding[];
  return bindings.some((binding) => {
    if (!isBound(user, binding)) return false;
    const { kind, name } = binding.roleRef;
    const role =
      kind === 'ClusterRole'
        ? store.get(testResources.clusterRoles, undefined, name)
        : store.get(testResources.roles, request.namespace, name);
    return allows((role?.['rules'] ?? []) as Rule[], request);
  });
}

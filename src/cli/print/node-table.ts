import type { Node } from '#lib/kube/types.ts';
import { age } from './age.ts';
import type { TableOptions } from './pod-table.ts';

export function nodeHead({ wide }: TableOptions): string[] {
  const more = ['INTERNAL-IP', 'EXTERNAL-IP', 'OS-IMAGE', 'KERNEL-VERSION', 'CONTAINER-RUNTIME'];
  return ['NAME', 'STATUS', 'ROLES', 'AGE', 'VERSION', ...(wide ? more : [])];
}

function statusOf(node: Node): string {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec?.unschedulable === true ? `${word},SchedulingDisabled` : word;
}

/** The node's roles, with commas between; `<none>` without any. */
export function rolesOf(node: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.entries(node.metadata?.labels ?? {}).flatMap(([label, value]) => {
    if (label.startsWith(prefix)) return label.length > prefix.length ? [label.slice(prefix.length)] : [];
    return label === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return roles.length === 0 ? '<none>' : [...new Set(roles)].sort().join(',');
}

/** A node's line of `kubectl get nodes`. */
export function nodeRow(node: Node, { wide, now }: TableOptions): string[] {
  const info = node.status?.nodeInfo;
  const address = (type: string): string =>
    node.status?.addresses?.find((each) => each.type === type)?.address ?? '<none>';
  return [
    node.metadata?.name ?? '',
    statusOf(node),
    rolesOf(node),
    age(node.metadata?.creationTimestamp, now),
    info?.kubeletVersion ?? '',
    ...(wide
      ? [
          address('InternalIP'),
          address('ExternalIP'),
          info?.osImage || '<unknown>',
          info?.kernelVersion || '<unknown>',
          info?.containerRuntimeVersion || '<unknown>',
        ]
      : []),
  ];
}

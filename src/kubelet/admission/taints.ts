import type { AgentPod, Node } from '#lib/kube/types.ts';

type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number];
type Toleration = NonNullable<AgentPod['spec']['tolerations']>[number];

/** Whether a taint that ends pods (NoExecute) forbids this one; the other effects concern the scheduler alone. */
export function hasUntoleratedTaint(pod: AgentPod, node: Node): boolean {
  const tolerations = pod.spec.tolerations ?? [];
  return (node.spec?.taints ?? [])
    .filter(({ effect }) => effect === 'NoExecute')
    .some((taint) => !tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** Empty parts of a toleration match everything. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = '', effect = '', value = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  switch (operator) {
    case '':
    case 'Equal':
      return value === (taint.value ?? '');
    case 'Exists':
      return true;
    default:
      return false;
  }
}

import type { AgentPod, Node } from '#lib/kube/types.ts';

type Affinity = NonNullable<AgentPod['spec']['affinity']>;
type NodeAffinity = NonNullable<Affinity['nodeAffinity']>;
type Selector = NonNullable<NodeAffinity['requiredDuringSchedulingIgnoredDuringExecution']>;
type Term = Selector['nodeSelectorTerms'][number];
type Requirement = NonNullable<Term['matchExpressions']>[number];

/** Whether the node has the labels that the pod's `nodeSelector` and required node affinity ask for. */
export function matchesNodeSelector({ spec }: AgentPod, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** Whether the node is one that a PersistentVolume's `nodeAffinity.required` names. */
export const matchesTerms = (terms: readonly Term[], node: Node): boolean =>
  terms.some((term) => matchesTerm(term, node));

/** A term without requirements selects nothing. */
function matchesTerm(term: Term, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = node.metadata?.labels ?? {};
  // The API knows no other field.
  const fields: Record<string, string> = { 'metadata.name': node.metadata?.name ?? '' };
  return (
    matchExpressions.every((each) => holds(each, labels[each.key])) &&
    matchFields.every((each) => holds(each, fields[each.key]))
  );
}

/** An unknown operator holds for nothing: the pod is then refused and not run in the wrong place. */
function holds({ operator, values = [] }: Requirement, actual: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
      return compare(actual, values[0], (a, b) => a > b);
    case 'Lt':
      return compare(actual, values[0], (a, b) => a < b);
    default:
      return false;
  }
}

const INTEGER = /^[+-]?\d+$/;

function compare(
  actual: string | undefined,
  bound: string | undefined,
  test: (a: bigint, b: bigint) => boolean,
): boolean {
  if (actual === undefined || bound === undefined) return false;
  if (!INTEGER.test(actual) || !INTEGER.test(bound)) return false;
  return test(BigInt(actual.replace(/^\+/, '')), BigInt(bound.replace(/^\+/, '')));
}

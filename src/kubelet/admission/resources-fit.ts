import type { Quantity } from '#lib/kube/quantity.ts';
import { amountOf, podRequests, readAmounts } from '#lib/kube/resources.ts';
import type { AgentPod, Node } from '#lib/kube/types.ts';
import type { Misfit } from './verdict.ts';

/** An amount as admission counts and reports it: thousandths of a processor, whole units of everything else. */
export const countOf = (resource: string, amount: Quantity): number =>
  resource === 'cpu' ? amount.milliValue() : amount.value();

/** Resources of a domain that isn't Kubernetes' own: devices, licences. */
export const isExtended = (resource: string): boolean =>
  resource.includes('/') && !resource.split('/')[0]?.endsWith('kubernetes.io');

/** In the order in which a lack is reported. */
const FIRST = ['cpu', 'memory', 'ephemeral-storage'];

/**
 * What of the pod's requests the node can't give beside the other pods. An extended resource that the node doesn't
 * have at all is not the node's concern (it may be the cluster's), as upstream.
 */
export function resourceMisfits(pod: AgentPod, others: readonly AgentPod[], node: Node): Misfit[] {
  const allocatable = readAmounts(node.status?.allocatable, 'node status.allocatable');
  const misfits: Misfit[] = [];
  const pods = allocatable.get('pods');
  if (pods !== undefined && others.length + 1 > pods.value()) {
    misfits.push({
      kind: 'resource',
      resource: 'pods',
      requested: 1,
      used: others.length,
      capacity: pods.value(),
    });
  }
  const wanted = podRequests(pod);
  const names = [...FIRST, ...[...wanted.keys()].filter((name) => !FIRST.includes(name))];
  const taken = others.map((other) => podRequests(other));
  for (const resource of names) {
    if (isExtended(resource) && !allocatable.has(resource)) continue;
    const requested = countOf(resource, amountOf(wanted, resource));
    if (requested <= 0) continue;
    const used = taken.reduce((sum, amounts) => sum + countOf(resource, amountOf(amounts, resource)), 0);
    const capacity = countOf(resource, amountOf(allocatable, resource));
    if (requested > capacity - used) {
      misfits.push({ kind: 'resource', resource, requested, used, capacity });
    }
  }
  return misfits;
}

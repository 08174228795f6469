import type { Quantity } from './quantity.ts';
import { containerLimits, containerRequests, readAmounts } from './resources.ts';
import type { ResourceAmounts } from './resources.ts';
import type { Pod, PodSpec } from './types.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const COMPUTE = ['cpu', 'memory'] as const;

/**
 * The pod's quality-of-service class. What the API server has recorded wins, because the class never changes
 * during a pod's life.
 */
export function podQosClass(pod: Pod & { spec: PodSpec }): QosClass {
  const recorded = pod.status?.qosClass;
  if (recorded === 'Guaranteed' || recorded === 'Burstable' || recorded === 'BestEffort') return recorded;
  return computeQosClass(pod.spec);
}

/**
 * The class by upstream's rule: BestEffort if nothing asks for CPU or memory; Guaranteed if every container (init
 * containers too; ephemeral ones have no resources) limits both and the requests equal the limits in sum;
 * Burstable otherwise. Pod-level resources, where present, decide alone. Zero counts as not set.
 */
export function computeQosClass(spec: PodSpec): QosClass {
  const requests = new Map<string, Quantity>();
  const limits = new Map<string, Quantity>();
  let everythingLimited = true;

  const count = (asked: ResourceAmounts, limited: ResourceAmounts): void => {
    gather(requests, asked);
    if (gather(limits, limited) < COMPUTE.length) everythingLimited = false;
  };
  if (spec.resources) {
    const { requests: asked, limits: limited } = spec.resources;
    gather(requests, readAmounts(asked, 'spec.resources.requests'));
    const podLimits = readAmounts(limited, 'spec.resources.limits');
    if (podLimits.size > 0 && gather(limits, podLimits) < COMPUTE.length) everythingLimited = false;
  } else {
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
      count(containerRequests(container), containerLimits(container));
    }
  }

  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const equal =
    requests.size === limits.size &&
    [...requests].every(([name, amount]) => limits.get(name)?.compare(amount) === 0);
  return everythingLimited && equal ? 'Guaranteed' : 'Burstable';
}

/** Adds the positive CPU and memory amounts to `into` and says how many there were. */
function gather(into: Map<string, Quantity>, amounts: ResourceAmounts): number {
  let found = 0;
  for (const name of COMPUTE) {
    const amount = amounts.get(name);
    if (amount === undefined || amount.sign <= 0) continue;
    found++;
    into.set(name, into.get(name)?.plus(amount) ?? amount);
  }
  return found;
}

import { podQosClass } from '#lib/kube/qos.ts';
import {
  aggregateContainerRequests,
  amountOf,
  containerRequests,
  hasPodLevelRequests,
  isSidecar,
  readAmounts,
} from '#lib/kube/resources.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { isNodeCriticalPod } from './critical.ts';

const GUARANTEED = -997;
const BEST_EFFORT = 1000;
const memoryRequest = (container: Container): bigint =>
  BigInt(amountOf(containerRequests(container), 'memory').value());

/**
 * `oom_score_adj` of a container's processes, by upstream's rules: the more memory a Burstable container has
 * asked for, in relation to the node's `memoryCapacityBytes`, the later it is chosen. A sidecar is never chosen
 * before the least protected main container.
 */
export function oomScoreAdj(pod: AgentPod, container: Container, memoryCapacityBytes: number): number {
  if (isNodeCriticalPod(pod)) return GUARANTEED;
  const qos = podQosClass(pod);
  if (qos === 'Guaranteed') return GUARANTEED;
  if (qos === 'BestEffort') return BEST_EFFORT;

  const capacity = BigInt(Math.max(1, Math.floor(memoryCapacityBytes)));
  const extra = unassignedPerContainer(pod);
  const scoreOf = (bytes: bigint): number => 1000 - Number((1000n * (bytes + extra)) / capacity);

  let score = scoreOf(memoryRequest(container));
  const initContainers = pod.spec.initContainers ?? [];
  if (isSidecar(container) && initContainers.some(({ name }) => name === container.name)) {
    const mains = pod.spec.containers.map(memoryRequest);
    const least = mains.reduce((min, bytes) => (bytes < min ? bytes : min), mains[0] ?? 0n);
    score = Math.min(score, scoreOf(least));
  }
  // Always behind a Guaranteed container that uses everything, always before a BestEffort one.
  return Math.min(Math.max(score, 1000 + GUARANTEED), BEST_EFFORT - 1);
}

/** Each container's part of the pod-level memory request that no container has claimed. */
function unassignedPerContainer(pod: AgentPod): bigint {
  if (!hasPodLevelRequests(pod)) return 0n;
  const asked = amountOf(readAmounts(pod.spec.resources?.requests, 'spec.resources.requests'), 'memory');
  if (asked.isZero) return 0n;
  const containers = pod.spec.containers.length + (pod.spec.initContainers?.length ?? 0);
  const claimed = amountOf(aggregateContainerRequests(pod), 'memory').value();
  return BigInt(asked.value() - claimed) / BigInt(Math.max(1, containers));
}

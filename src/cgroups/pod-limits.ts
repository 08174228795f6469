import { podQosClass } from '#lib/kube/qos.ts';
import {
  amountOf,
  containerLimits,
  hasPodLevelResources,
  podLevelLimits,
  podLimits,
  podRequests,
} from '#lib/kube/resources.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { NodeResources } from './compute.ts';
import { MIN_SHARES, quotaOf, sharesOf } from './cpu.ts';
import { hugePagesOf } from './hugepages.ts';

/** What a cgroup of the agent's own hierarchy is given; what is undefined has no limit. */
export interface CgroupLimits {
  cpuShares?: number;
  /** Microseconds in each period; undefined: as much as there is. */
  cpuQuotaUs?: number;
  cpuPeriodUs?: number;
  memoryBytes?: number;
  pids?: number;
  /** Bytes by page size (`2MB`); with `hugePages` present every size that isn't named gets 0. */
  hugePages?: ReadonlyMap<string, number>;
}

/**
 * The numbers of a pod's own cgroup (upstream's ResourceConfigForPod). A Burstable pod gets a limit only where
 * every container, init containers too, declares one or the pod does itself; a BestEffort pod gets none.
 */
export function podCgroupLimits(
  pod: AgentPod,
  node: Pick<NodeResources, 'cpuCfsQuota' | 'cpuCfsQuotaPeriodUs'>,
  pids?: number,
): CgroupLimits {
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const result: CgroupLimits = { cpuShares: MIN_SHARES, hugePages: hugePagesOf(requests) };
  if (pids !== undefined && pids > 0) result.pids = pids;

  const qos = podQosClass(pod);
  if (qos === 'BestEffort') return result;
  result.cpuShares = sharesOf(amountOf(requests, 'cpu').milliValue());

  const bounded = (name: string): boolean => qos === 'Guaranteed' || everyContainerLimits(pod, name);
  const cpu = amountOf(limits, 'cpu').milliValue();
  if (cpu > 0 && node.cpuCfsQuota && bounded('cpu')) {
    result.cpuQuotaUs = quotaOf(cpu, node.cpuCfsQuotaPeriodUs);
    result.cpuPeriodUs = node.cpuCfsQuotaPeriodUs;
  }
  const memory = amountOf(limits, 'memory').value();
  if (memory > 0 && bounded('memory')) result.memoryBytes = memory;
  return result;
}

function everyContainerLimits(pod: AgentPod, name: string): boolean {
  if (hasPodLevelResources(pod) && !amountOf(podLevelLimits(pod), name).isZero) return true;
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].every(
    (container) => !amountOf(containerLimits(container), name).isZero,
  );
}

/** cpu.shares of all Burstable pods together. */
export const burstableShares = (milliCpuRequests: Iterable<number>): number =>
  sharesOf([...milliCpuRequests].reduce((sum, milli) => sum + milli, 0));

/**
 * The limits to write, one after the other, when a pod's group changes from `from` to `to`: what grows, the limit first,
 * or what shrinks, the limit last, so that what is requested never exceeds what is allowed. A limit that is removed stays
 * until the pod's group is made anew.
 */
export function resizeSteps(
  from: CgroupLimits,
  to: CgroupLimits,
  resource: 'memory' | 'cpu',
  direction: 'grow' | 'shrink',
): CgroupLimits[] {
  const changes = (now: number | undefined, next: number | undefined): next is number =>
    next !== undefined && (direction === 'grow' ? next > (now ?? Infinity) : next < (now ?? Infinity));
  if (resource === 'memory') {
    return changes(from.memoryBytes, to.memoryBytes) ? [{ memoryBytes: to.memoryBytes }] : [];
  }
  const steps: CgroupLimits[] = [];
  if (changes(from.cpuQuotaUs, to.cpuQuotaUs)) {
    steps.push({
      cpuQuotaUs: to.cpuQuotaUs,
      ...(to.cpuPeriodUs === undefined ? {} : { cpuPeriodUs: to.cpuPeriodUs }),
    });
  }
  if (changes(from.cpuShares, to.cpuShares)) steps.push({ cpuShares: to.cpuShares });
  return direction === 'grow' ? steps : steps.toReversed();
}

/** What the runtime is told about a container's and a sandbox's resources: pure functions of the spec and the node. */
import { podQosClass } from '#lib/kube/qos.ts';
import type { Quantity } from '#lib/kube/quantity.ts';
import {
  amountOf,
  containerLimits,
  containerRequests,
  hasPodLevelResources,
  podLevelLimits,
  podLimits,
  podOverhead,
  podRequests,
} from '#lib/kube/resources.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { quotaOf, sharesOf } from './cpu.ts';
import { isCriticalPod } from './critical.ts';
import { hugePagesOf } from './hugepages.ts';
import { oomScoreAdj } from './oom-score.ts';

/** The node's facts and settings that resource numbers depend on. */
export interface NodeResources {
  /** The setting `cpuCFSQuota`: whether CPU limits are enforced. */
  cpuCfsQuota: boolean;
  /** The setting `cpuCFSQuotaPeriod` in microseconds; 100,000 unless set. */
  cpuCfsQuotaPeriodUs: number;
  /** The machine's memory in bytes. */
  memoryCapacityBytes: number;
  /** 1 also where v1 and v2 are mounted side by side. */
  cgroupVersion: 1 | 2;
  /** Huge page sizes of the machine, as `2MB`. */
  hugePageSizes: readonly string[];
  /** Whether the kernel can account swap for a container (`memory.swap.max`, `memory.memsw.limit_in_bytes`). */
  swapController: boolean;
  /** The setting `memorySwap.swapBehavior`, and the machine's swap in bytes. */
  swap?: { behavior: 'NoSwap' | 'LimitedSwap'; capacityBytes: number };
  /** The setting `singleProcessOOMKill`; false unless set: all of a v2 container dies together. */
  singleProcessOomKill?: boolean;
}

/** CRI's LinuxContainerResources: bytes, microseconds, and files of cgroup v2 by name. */
export interface ContainerLinuxResources {
  cpuPeriod?: number;
  cpuQuota?: number;
  cpuShares?: number;
  memoryLimitInBytes?: number;
  memorySwapLimitInBytes?: number;
  oomScoreAdj?: number;
  hugepageLimits?: { pageSize: string; limit: number }[];
  unified?: Record<string, string>;
}

/** CPU and memory alone; a missing CPU request takes the limit's amount. */
function cpuAndMemory(
  cpuRequest: Quantity | undefined,
  cpuLimit: Quantity,
  memoryLimit: Quantity,
  node: NodeResources,
): ContainerLinuxResources {
  const resources: ContainerLinuxResources = { cpuShares: sharesOf((cpuRequest ?? cpuLimit).milliValue()) };
  if (!memoryLimit.isZero) resources.memoryLimitInBytes = memoryLimit.value();
  if (node.cpuCfsQuota) {
    resources.cpuPeriod = node.cpuCfsQuotaPeriodUs;
    resources.cpuQuota = quotaOf(cpuLimit.milliValue(), node.cpuCfsQuotaPeriodUs);
  }
  if (node.cgroupVersion === 2 && node.singleProcessOomKill !== true) {
    resources.unified = { 'memory.oom.group': '1' };
  }
  return resources;
}

/** A container's resources for CreateContainer. Where it has no limit of its own, the pod-level one holds. */
export function containerResources(
  pod: AgentPod,
  container: Container,
  node: NodeResources,
): ContainerLinuxResources {
  const requests = containerRequests(container);
  const limits = containerLimits(container);
  const shared = hasPodLevelResources(pod) ? podLevelLimits(pod) : undefined;
  const limitOf = (name: string): Quantity => {
    const own = amountOf(limits, name);
    return own.isZero && shared !== undefined ? amountOf(shared, name) : own;
  };
  const resources = cpuAndMemory(requests.get('cpu'), limitOf('cpu'), limitOf('memory'), node);
  resources.oomScoreAdj = oomScoreAdj(pod, container, node.memoryCapacityBytes);
  resources.hugepageLimits = hugePageLimits(limits, shared, node);
  setSwap(resources, pod, requests, limits, node);
  return resources;
}

/** Every page size of the machine gets a limit, 0 unless the pod or (first) the container names one. */
function hugePageLimits(
  limits: ResourceAmounts,
  shared: ResourceAmounts | undefined,
  node: NodeResources,
): { pageSize: string; limit: number }[] {
  const asked = new Map([...(shared === undefined ? [] : hugePagesOf(shared)), ...hugePagesOf(limits)]);
  return node.hugePageSizes.map((pageSize) => ({ pageSize, limit: asked.get(pageSize) ?? 0 }));
}

function setSwap(
  resources: ContainerLinuxResources,
  pod: AgentPod,
  requests: ResourceAmounts,
  limits: ResourceAmounts,
  node: NodeResources,
): void {
  if (!node.swapController) return;
  if (node.cgroupVersion === 1) {
    // On v1 the number is memory and swap together: equal to the memory limit, no swap is left.
    if (resources.memoryLimitInBytes !== undefined) {
      resources.memorySwapLimitInBytes = resources.memoryLimitInBytes;
    }
    return;
  }
  const swap = swapBytes(pod, amountOf(requests, 'memory'), amountOf(limits, 'memory'), node);
  resources.unified = { ...resources.unified, 'memory.swap.max': String(swap) };
}

/** LimitedSwap: a Burstable container's part of the node's swap is its part of the node's memory (KEP-2400). */
function swapBytes(pod: AgentPod, request: Quantity, limit: Quantity, node: NodeResources): number {
  if (node.swap?.behavior !== 'LimitedSwap' || isCriticalPod(pod)) return 0;
  if (podQosClass(pod) !== 'Burstable' || request.compare(limit) === 0) return 0;
  const part = request.value() / node.memoryCapacityBytes;
  return part > 1 ? 0 : Math.floor(part * node.swap.capacityBytes);
}

/** The pod's sum without overhead, as RunPodSandbox's hint to runtimes that size a virtual machine by it. */
export function sandboxResources(pod: AgentPod, node: NodeResources): ContainerLinuxResources {
  const requests = podRequests(pod, { excludeOverhead: true });
  const limits = podLimits(pod, { excludeOverhead: true });
  return cpuAndMemory(requests.get('cpu'), amountOf(limits, 'cpu'), amountOf(limits, 'memory'), node);
}

/** `spec.overhead` as RunPodSandbox takes it: requests and limits in one; empty where there is none. */
export function overheadResources(pod: AgentPod, node: NodeResources): ContainerLinuxResources {
  if (pod.spec.overhead === undefined) return {};
  const overhead = podOverhead(pod);
  const cpu = amountOf(overhead, 'cpu');
  return cpuAndMemory(cpu, cpu, amountOf(overhead, 'memory'), node);
}

/**
 * The resources that a pod has been given on this node. The API server may ask for others (an in-place resize): the pod
 * lives on what it has until the node agrees, and so does everything that looks at it here.
 */
import { isDeepStrictEqual } from 'node:util';
import { amountOf, containerLimits, containerRequests } from '#lib/kube/resources.ts';
import type { AgentPod, Container, ResourceRequirements } from '#lib/kube/types.ts';

/** What of a container can be resized: thousandths of a processor and bytes, 0 where nothing is said. */
export interface Amounts {
  cpuRequest: number;
  cpuLimit: number;
  memoryRequest: number;
  memoryLimit: number;
}

export function amountsOf(container: Container): Amounts {
  const [requests, limits] = [containerRequests(container), containerLimits(container)];
  return {
    cpuRequest: amountOf(requests, 'cpu').milliValue(),
    cpuLimit: amountOf(limits, 'cpu').milliValue(),
    memoryRequest: amountOf(requests, 'memory').value(),
    memoryLimit: amountOf(limits, 'memory').value(),
  };
}

type Part = 'requests' | 'limits';
const PARTS = ['requests', 'limits'] as const satisfies readonly Part[];
export type Resizable = 'memory' | 'cpu';

/** The container's resources, with amounts of another for these resources; what neither names stays away. */
export function withAmounts(
  own: ResourceRequirements | undefined,
  other: ResourceRequirements | undefined,
  resources: readonly Resizable[],
): ResourceRequirements {
  const result: ResourceRequirements = { ...own };
  for (const part of PARTS) {
    const amounts: Record<string, string> = { ...own?.[part] };
    for (const name of resources) {
      delete amounts[name];
      const amount = other?.[part]?.[name];
      if (amount !== undefined) amounts[name] = amount;
    }
    if (own?.[part] !== undefined || Object.keys(amounts).length > 0) result[part] = amounts;
  }
  return result;
}

/** CPU and memory alone: what the runtime was last told for a container. */
export function cpuAndMemory({ resources }: Container): ResourceRequirements {
  return withAmounts(undefined, resources, ['memory', 'cpu']);
}

/** The pod with its containers' resources as `of` says them; the same object where that changes nothing. */
export function withResources(
  pod: AgentPod,
  of: (container: Container) => ResourceRequirements | undefined,
): AgentPod {
  const put = (container: Container): Container => {
    const resources = of(container);
    if (resources === undefined || isDeepStrictEqual(resources, container.resources)) return container;
    return { ...container, resources };
  };
  const containers = pod.spec.containers.map(put);
  const initContainers = pod.spec.initContainers?.map(put);
  const lists = [
    [pod.spec.containers, containers],
    [pod.spec.initContainers ?? [], initContainers ?? []],
  ] as const;
  if (lists.every(([before, now]) => before.every((each, index) => each === now[index]))) return pod;
  return {
    ...pod,
    spec: { ...pod.spec, containers, ...(initContainers === undefined ? {} : { initContainers }) },
  };
}

/** `wanted` with the resources that `allocated`, an earlier version of the same pod, has been given. */
export function withAllocation(wanted: AgentPod, allocated: AgentPod): AgentPod {
  const given = new Map(
    [...allocated.spec.containers, ...(allocated.spec.initContainers ?? [])].map((each) => [each.name, each]),
  );
  const pod = withResources(wanted, ({ name, resources }) =>
    given.has(name) ? (given.get(name)?.resources ?? {}) : resources,
  );
  if (isDeepStrictEqual(pod.spec.resources, allocated.spec.resources)) return pod;
  const { resources: _wanted, ...spec } = pod.spec;
  const { resources } = allocated.spec;
  return { ...pod, spec: { ...spec, ...(resources === undefined ? {} : { resources }) } };
}

/** Whether the two versions ask for the same CPU and memory, for each container and the pod as a whole. */
export function asksTheSame(a: AgentPod, b: AgentPod): boolean {
  const all = ({ spec }: AgentPod): unknown => [
    spec.resources,
    [...spec.containers, ...(spec.initContainers ?? [])].map((each) => amountsOf(each)),
  ];
  return a === b || isDeepStrictEqual(all(a), all(b));
}

/**
 * A pod's effective requests and limits, by the rules that the scheduler and kubelet share
 * (k8s.io/component-helpers/resource, KEP-753 for restartable init containers, KEP-2837 for pod-level resources).
 */
import { Quantity, parseQuantityField } from './quantity.ts';
import type { Container, PodSpec } from './types.ts';

/** Amounts by resource name: `cpu`, `memory`, `hugepages-2Mi`, `example.com/device` … */
export type ResourceAmounts = Map<string, Quantity>;

/** What the functions here read of a pod. */
export interface PodWithSpec {
  spec: PodSpec;
}

export interface PodResourceOptions {
  /** Leaves out `spec.overhead`. */
  excludeOverhead?: boolean;
  /** Leaves out `spec.resources`. */
  skipPodLevel?: boolean;
}

const HUGEPAGES = 'hugepages-';

/** Reads a resource list as it stands in an object; `field` names it in errors. */
export function readAmounts(
  list: Readonly<Record<string, string>> | null | undefined,
  field: string,
): ResourceAmounts {
  const amounts: ResourceAmounts = new Map();
  for (const [name, text] of Object.entries(list ?? {})) {
    amounts.set(name, parseQuantityField(text, `${field}[${name}]`));
  }
  return amounts;
}

export const amountOf = (amounts: ReadonlyMap<string, Quantity>, name: string): Quantity =>
  amounts.get(name) ?? Quantity.zero;

export const containerRequests = (container: Container): ResourceAmounts =>
  readAmounts(container.resources?.requests, `container ${container.name}: resources.requests`);

export const containerLimits = (container: Container): ResourceAmounts =>
  readAmounts(container.resources?.limits, `container ${container.name}: resources.limits`);

/** An init container that keeps running beside the main ones. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

const isPodLevelResource = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || name.startsWith(HUGEPAGES);

const namesPodLevel = (list: Readonly<Record<string, string>> | null | undefined): boolean =>
  Object.keys(list ?? {}).some(isPodLevelResource);

/** Whether `spec.resources.requests` names a resource that pods can have as a whole. */
export const hasPodLevelRequests = (pod: PodWithSpec): boolean => namesPodLevel(pod.spec.resources?.requests);

export const hasPodLevelResources = (pod: PodWithSpec): boolean =>
  hasPodLevelRequests(pod) || namesPodLevel(pod.spec.resources?.limits);

/** `spec.resources.limits`, empty where the pod has none. */
export const podLevelLimits = (pod: PodWithSpec): ResourceAmounts =>
  readAmounts(pod.spec.resources?.limits, 'spec.resources.limits');

function add(into: ResourceAmounts, more: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of more) into.set(name, amountOf(into, name).plus(amount));
}

function raise(into: ResourceAmounts, floor: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of floor) {
    const now = into.get(name);
    if (now === undefined || amount.compare(now) > 0) into.set(name, amount);
  }
}

/**
 * The sum over the containers that run together, or what the hungriest moment of initialisation needs if that is
 * more: each plain init container runs beside the sidecars that are listed before it.
 */
function aggregate(pod: PodWithSpec, read: (container: Container) => ResourceAmounts): ResourceAmounts {
  const total: ResourceAmounts = new Map();
  for (const container of pod.spec.containers) add(total, read(container));

  const sidecars: ResourceAmounts = new Map();
  const initialising: ResourceAmounts = new Map();
  for (const container of pod.spec.initContainers ?? []) {
    const amounts = read(container);
    if (isSidecar(container)) {
      add(total, amounts);
      add(sidecars, amounts);
      raise(initialising, sidecars);
    } else {
      add(amounts, sidecars);
      raise(initialising, amounts);
    }
  }
  raise(total, initialising);
  return total;
}

/** The containers' requests together, without pod-level resources and overhead. */
export const aggregateContainerRequests = (pod: PodWithSpec): ResourceAmounts =>
  aggregate(pod, containerRequests);

/** The containers' limits together, without pod-level resources and overhead. */
export const aggregateContainerLimits = (pod: PodWithSpec): ResourceAmounts =>
  aggregate(pod, containerLimits);

/** What the pod reserves: pod-level requests take the place of the containers' sum; overhead comes on top. */
export function podRequests(pod: PodWithSpec, options: PodResourceOptions = {}): ResourceAmounts {
  const total = aggregateContainerRequests(pod);
  if (options.skipPodLevel !== true && hasPodLevelRequests(pod)) {
    override(total, readAmounts(pod.spec.resources?.requests, 'spec.resources.requests'));
  }
  if (options.excludeOverhead !== true) add(total, podOverhead(pod));
  return total;
}

/** What the pod may use at most; overhead is added only to limits that exist and aren't zero. */
export function podLimits(pod: PodWithSpec, options: PodResourceOptions = {}): ResourceAmounts {
  const total = aggregateContainerLimits(pod);
  if (options.skipPodLevel !== true && hasPodLevelResources(pod)) override(total, podLevelLimits(pod));
  if (options.excludeOverhead !== true) {
    for (const [name, amount] of podOverhead(pod)) {
      const limit = amountOf(total, name);
      if (!limit.isZero) total.set(name, limit.plus(amount));
    }
  }
  return total;
}

function override(total: ResourceAmounts, podLevel: ResourceAmounts): void {
  for (const [name, amount] of podLevel) if (isPodLevelResource(name)) total.set(name, amount);
}

/** `spec.overhead`: what running the pod costs beyond its containers (set from its RuntimeClass). */
export const podOverhead = (pod: PodWithSpec): ResourceAmounts =>
  readAmounts(pod.spec.overhead, 'spec.overhead');

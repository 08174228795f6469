/** How much the node has, how much of it pods get, and what the group of all pods is limited to. */
import { sharesOf } from '#cgroups/cpu.ts';
import { hugePagesOf } from '#cgroups/hugepages.ts';
import type { CgroupLimits } from '#cgroups/pod-limits.ts';
import type { MachineFacts } from '#host/machine-facts.ts';
import { Quantity, parseQuantity } from '#lib/kube/quantity.ts';
import { amountOf } from '#lib/kube/resources.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { NodeSettings } from './settings.ts';
import { thresholdAmount } from './thresholds.ts';

export type CapacityFacts = Pick<MachineFacts, 'processors' | 'memoryBytes' | 'hugePages'> & {
  /** Of the filesystem with the agent's folder; undefined where it can't be read. */
  ephemeralStorageBytes: number | undefined;
};

export type CapacitySettings = Pick<
  NodeSettings,
  | 'maxPods'
  | 'podsPerCore'
  | 'systemReserved'
  | 'kubeReserved'
  | 'evictionHard'
  | 'localStorageCapacityIsolation'
>;

type ResourceList = Readonly<Record<string, string>>;

const HUGE = 'hugepages-';
const bytes = (amount: number): Quantity => Quantity.fromInteger(Math.floor(amount), 'BinarySI');
const notBelowZero = (amount: Quantity): Quantity => (amount.sign < 0 ? Quantity.zero : amount);

/** `hugepages-2Mi` for 2,097,152. */
export const hugePageResource = (pageBytes: number): string => `${HUGE}${bytes(pageBytes).toString()}`;

/** What the machine itself has. */
export function machineCapacity(facts: CapacityFacts, settings: CapacitySettings): ResourceAmounts {
  const { maxPods, podsPerCore, localStorageCapacityIsolation } = settings;
  const pods = podsPerCore > 0 ? Math.min(facts.processors * podsPerCore, maxPods) : maxPods;
  const capacity: ResourceAmounts = new Map([
    ['cpu', Quantity.fromInteger(facts.processors)],
    ['memory', bytes(facts.memoryBytes)],
    ['pods', Quantity.fromInteger(pods)],
  ]);
  if (localStorageCapacityIsolation && facts.ephemeralStorageBytes !== undefined) {
    capacity.set('ephemeral-storage', bytes(facts.ephemeralStorageBytes));
  }
  for (const { sizeBytes, pages } of facts.hugePages) {
    capacity.set(hugePageResource(sizeBytes), bytes(sizeBytes * pages));
  }
  return capacity;
}

/** What is kept from pods: system, kube, and the hard eviction thresholds. */
export function reservation(capacity: ResourceAmounts, settings: CapacitySettings): ResourceAmounts {
  const reserved: ResourceAmounts = new Map();
  const add = (name: string, amount: Quantity): void => {
    reserved.set(name, amountOf(reserved, name).plus(amount));
  };
  for (const list of [settings.systemReserved, settings.kubeReserved]) {
    for (const [name, amount] of list) add(name, amount);
  }
  for (const threshold of settings.evictionHard) {
    const name =
      threshold.signal === 'memory.available'
        ? 'memory'
        : threshold.signal === 'nodefs.available'
          ? 'ephemeral-storage'
          : undefined;
    if (name === undefined) continue;
    add(name, bytes(thresholdAmount(threshold, amountOf(capacity, name).value())));
  }
  return reserved;
}

/**
 * `status.capacity` and `status.allocatable`. What others have put into the Node object's capacity (extended resources)
 * stays; sizes of huge pages that the machine hasn't (any more) go.
 */
export function nodeResources(
  facts: CapacityFacts,
  settings: CapacitySettings,
  before: { capacity?: ResourceList; allocatable?: ResourceList } = {},
): { capacity: Record<string, string>; allocatable: Record<string, string> } {
  const own = machineCapacity(facts, settings);
  const capacity: Record<string, string> = {};
  for (const [name, text] of Object.entries(before.capacity ?? {})) {
    if (!name.startsWith(HUGE)) capacity[name] = text;
  }
  for (const [name, amount] of own) capacity[name] = amount.toString();

  const reserved = reservation(own, settings);
  const allocatable: Record<string, string> = {};
  for (const [name, text] of Object.entries(capacity)) {
    const amount = parseQuantity(text).minus(amountOf(reserved, name));
    allocatable[name] = notBelowZero(amount).toString();
  }
  const huge = Object.entries(capacity).filter(([name]) => name.startsWith(HUGE));
  const memory = huge.reduce(
    (rest, [, text]) => notBelowZero(rest.minus(parseQuantity(text))),
    parseQuantity(allocatable['memory'] ?? '0'),
  );
  allocatable['memory'] = memory.toString();
  return { capacity, allocatable };
}

/** One line for each resource of which more is reserved than there is. */
export function reservationProblems(facts: CapacityFacts, settings: CapacitySettings): string[] {
  const capacity = machineCapacity(facts, settings);
  return [...reservation(capacity, settings)].flatMap(([name, reserved]) => {
    const whole = capacity.get(name);
    if (whole === undefined || reserved.compare(whole) <= 0) return [];
    return [`${reserved.toString()} of ${name} is reserved, and the node has ${whole.toString()}`];
  });
}

/**
 * Limits for `kubepods`: the machine without what system and kube have reserved, but with what only eviction keeps free
 * (upstream's getNodeAllocatableInternalAbsolute). Where pods aren't to be limited it still gets the machine's size,
 * as a new group's part of the CPU would be too small.
 */
export function kubepodsLimits(
  facts: CapacityFacts & Pick<MachineFacts, 'maxPids'>,
  settings: CapacitySettings & Pick<NodeSettings, 'enforceNodeAllocatable'>,
): CgroupLimits {
  const amounts = machineCapacity(facts, settings);
  if (facts.maxPids !== undefined) amounts.set('pid', Quantity.fromInteger(facts.maxPids));
  if (settings.enforceNodeAllocatable.includes('pods')) {
    for (const list of [settings.systemReserved, settings.kubeReserved]) {
      for (const [name, amount] of list) {
        const whole = amounts.get(name);
        if (whole !== undefined) amounts.set(name, notBelowZero(whole.minus(amount)));
      }
    }
  }
  const pids = amounts.get('pid')?.value();
  return {
    cpuShares: sharesOf(amountOf(amounts, 'cpu').milliValue()),
    memoryBytes: amountOf(amounts, 'memory').value(),
    ...(pids === undefined ? {} : { pids }),
    hugePages: hugePagesOf(amounts),
  };
}

/** Defaults of resource requirements: requests from limits, and pod-level requests from those of the containers. */
import { parseQuantity, Quantity } from './quantity.ts';
import type { PodSpec, ResourceRequirements } from './types.ts';

type Amounts = Record<string, string>;
type Totals = Map<string, Quantity>;

const POD_LEVEL = /^(cpu|memory|hugepages-.+)$/;
const isHugePages = (name: string): boolean => name.startsWith('hugepages-');

/** Writes amounts canonically, rounded up to thousandths, as the API server stores them. */
export function roundResources(resources: ResourceRequirements): void {
  for (const amounts of [resources.limits, resources.requests]) {
    for (const [name, text] of Object.entries(amounts ?? {})) {
      const amount = parseQuantity(text);
      const rounded =
        amount.nanos % 1_000_000n === 0n ? amount : new Quantity(milliUp(amount), amount.format);
      if (amounts !== undefined) amounts[name] = rounded.toString();
    }
  }
}

function milliUp(amount: Quantity): bigint {
  const rest = amount.nanos % 1_000_000n;
  return amount.nanos - rest + (amount.nanos > 0n ? 1_000_000n : -1_000_000n);
}

/** A limit without a request is its request. */
export function defaultRequests(resources: ResourceRequirements): void {
  if (resources.limits === undefined) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}

function add(totals: Totals, amounts: Amounts | undefined): void {
  for (const [name, text] of Object.entries(amounts ?? {})) {
    totals.set(name, (totals.get(name) ?? Quantity.zero).plus(parseQuantity(text)));
  }
}

function raise(totals: Totals, others: Totals): void {
  for (const [name, amount] of others) {
    const before = totals.get(name);
    if (before === undefined || before.compare(amount) < 0) totals.set(name, amount);
  }
}

/**
 * What the pod's containers need together: all that run side by side, or the hungriest init container with the
 * sidecars started before it, whichever is more.
 */
export function aggregate(spec: PodSpec, of: 'requests' | 'limits'): Totals {
  const together: Totals = new Map();
  const peak: Totals = new Map();
  for (const container of spec.containers ?? []) add(together, container.resources?.[of]);
  const sidecars: Totals = new Map();
  for (const container of spec.initContainers ?? []) {
    const amounts = container.resources?.[of];
    if (container.restartPolicy === 'Always') {
      add(together, amounts);
      add(sidecars, amounts);
      raise(peak, sidecars);
    } else {
      const now = new Map(sidecars);
      add(now, amounts);
      raise(peak, now);
    }
  }
  raise(together, peak);
  return together;
}

/** Fills pod-level requests (and limits of huge pages), where the pod states pod-level resources at all. */
export function defaultPodLevelResources(spec: PodSpec, resources: ResourceRequirements): void {
  const some = Object.keys(resources.limits ?? {}).length + Object.keys(resources.requests ?? {}).length > 0;
  if (!some) return;
  for (const [name, amount] of aggregate(spec, 'limits')) {
    if (!isHugePages(name) || resources.requests?.[name] !== undefined) continue;
    resources.limits = { [name]: amount.toString(), ...resources.limits };
  }
  if (Object.keys(resources.limits ?? {}).length === 0) return;
  const requests: Amounts = { ...resources.requests };
  for (const [name, amount] of aggregate(spec, 'requests')) {
    if (POD_LEVEL.test(name) && !isHugePages(name)) requests[name] ??= amount.toString();
  }
  for (const [name, limit] of Object.entries(resources.limits ?? {})) {
    if (POD_LEVEL.test(name)) requests[name] ??= limit;
  }
  if (Object.keys(requests).length > 0) resources.requests = requests;
}

/** What a pod may be told of itself: the downward API's fields (pkg/fieldpath, pkg/api/v1/resource of 1.36). */
import { NodeletError } from '../errors.ts';
import { goQuote } from '../go-quote.ts';
import { Quantity, parseQuantityField } from './quantity.ts';
import {
  type ResourceAmounts,
  amountOf,
  containerLimits,
  containerRequests,
  podLevelLimits,
} from './resources.ts';
import type { AgentPod, Container, EnvVar } from './types.ts';

export type ResourceFieldRef = NonNullable<NonNullable<EnvVar['valueFrom']>['resourceFieldRef']>;

export class DownwardFieldError extends NodeletError {
  readonly code = 'DOWNWARD_FIELD';
}

/** Labels or annotations as a file: a line each, sorted by key, `KEY="escaped value"`. */
export const formatMap = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${goQuote(value)}`)
    .join('\n');

const own = (map: Readonly<Record<string, string>> | undefined, key: string): string =>
  map !== undefined && Object.hasOwn(map, key) ? (map[key] ?? '') : '';

/** A `metadata` field by its path; throws DownwardFieldError for a path that has none. */
export function metadataField({ metadata }: AgentPod, fieldPath: string): string {
  const [, map, key = ''] = /^metadata\.(labels|annotations)\['(.*)'\]$/s.exec(fieldPath) ?? [];
  if (map === 'labels') return own(metadata.labels, key);
  if (map === 'annotations') return own(metadata.annotations, key);
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.uid':
      return metadata.uid;
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    default:
      throw new DownwardFieldError(`unsupported fieldPath: ${fieldPath}`);
  }
}

/** The resources for which a missing limit means "as much as the node has to give". */
const DEFAULTED = ['cpu', 'memory', 'ephemeral-storage'];

/** What a container has that sets no limit of its own: the pod's limit, else the node's allocatable amount. */
export function defaultLimits(pod: AgentPod, allocatable: ResourceAmounts): ResourceAmounts {
  const limits: ResourceAmounts = new Map(allocatable);
  for (const [name, amount] of podLevelLimits(pod)) {
    if ((name === 'cpu' || name === 'memory') && !amount.isZero && limits.has(name)) limits.set(name, amount);
  }
  return limits;
}

/**
 * A container's request or limit, divided and rounded up. `defaults` are the limits of a container that sets none.
 * Throws DownwardFieldError.
 */
export function resourceField(
  container: Container,
  ref: ResourceFieldRef,
  defaults: ResourceAmounts,
): string {
  const [, list, name = ''] =
    /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(ref.resource) ?? [];
  if (list === undefined) throw new DownwardFieldError(`unsupported container resource : ${ref.resource}`);
  const amounts = list === 'limits' ? containerLimits(container) : containerRequests(container);
  let amount = amountOf(amounts, name);
  if (list === 'limits' && amount.isZero && DEFAULTED.includes(name)) amount = amountOf(defaults, name);
  const given = parseQuantityField(ref.divisor ?? '0', 'resourceFieldRef.divisor');
  const divisor = given.isZero ? Quantity.fromInteger(1) : given;
  const milli = name === 'cpu';
  const ratio = milli ? amount.milliValue() / divisor.milliValue() : amount.value() / divisor.value();
  return String(Math.ceil(ratio));
}

/** The container that a resourceFieldRef names. */
export function containerNamed(pod: AgentPod, name: string): Container {
  const found = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(
    (container) => container.name === name,
  );
  if (found === undefined) throw new DownwardFieldError(`container ${name} not found`);
  return found;
}

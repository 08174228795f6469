/** Which parts of a pod's status are the agent's, and when two of them say the same. */
import { parseQuantity } from '#lib/kube/quantity.ts';
import type { PodStatus } from '#lib/kube/types.ts';

/** The fields that the agent writes, but for conditions and addresses, which it shares or merges. */
export const OWN_FIELDS = [
  'phase',
  'reason',
  'message',
  'hostIP',
  'podIP',
  'startTime',
  'qosClass',
  'observedGeneration',
  'containerStatuses',
  'initContainerStatuses',
  'ephemeralContainerStatuses',
] as const satisfies readonly (keyof PodStatus)[];

/** Merged by address on the server. */
export const ADDRESS_FIELDS = ['hostIPs', 'podIPs'] as const satisfies readonly (keyof PodStatus)[];

const OWN_CONDITIONS: ReadonlySet<string> = new Set([
  'PodScheduled',
  'Ready',
  'Initialized',
  'ContainersReady',
  'PodReadyToStartContainers',
  'PodResizePending',
  'PodResizeInProgress',
  'AllContainersRestarting',
]);

export const isOwnCondition = (type: string): boolean => OWN_CONDITIONS.has(type);

/** Others set it too; the agent only says it together with a terminal phase. */
export const SHARED_CONDITION = 'DisruptionTarget';

const AMOUNTS = new Set(['requests', 'limits', 'allocatedResources']);

/** Whether two parts of statuses mean the same: the server drops what is empty and rewrites quantities. */
export const meansSame = (a: unknown, b: unknown): boolean =>
  a === b || JSON.stringify(essence({ of: a })) === JSON.stringify(essence({ of: b }));

/** With keys in order and without what Go leaves out when it is empty. */
function essence(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => essence(each));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .map(([name, member]): [string, unknown] => [
      name,
      AMOUNTS.has(key) ? amount(member) : essence(member, name),
    ])
    .filter(([name, member]) => !isEmpty(member) && !(name === 'readOnly' && member === false))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function amount(value: unknown): unknown {
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  try {
    return parseQuantity(value).nanos.toString();
  } catch {
    return value;
  }
}

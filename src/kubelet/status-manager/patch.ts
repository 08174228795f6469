/** The difference between two statuses of a pod as a strategic merge patch of `pods/status`. */
import type { PodCondition, PodStatus } from '#lib/kube/types.ts';
import { ADDRESS_FIELDS, OWN_FIELDS, meansSame } from './own-fields.ts';

export interface StatusPatch {
  /** The UID is a precondition: a recreated pod of the same name is left alone. */
  metadata: { uid: string };
  status: Record<string, unknown>;
}

/** Undefined where both say the same. Only the agent's fields are looked at; `next` has the conditions of others, too. */
export function statusPatch(uid: string, before: PodStatus, next: PodStatus): StatusPatch | undefined {
  const status: Record<string, unknown> = {};
  for (const field of OWN_FIELDS) {
    if (!meansSame(before[field], next[field])) status[field] = next[field] ?? null;
  }
  for (const field of ADDRESS_FIELDS) Object.assign(status, addressPatch(field, before[field], next[field]));
  const conditions = conditionsPatch(before.conditions ?? [], next.conditions ?? []);
  if (conditions.length > 0) status['conditions'] = conditions;
  return Object.keys(status).length === 0 ? undefined : { metadata: { uid }, status };
}

type Address = { ip?: string };

/** Addresses are merged by `ip`: one that is gone must be deleted by name, and the first counts most. */
function addressPatch(
  field: (typeof ADDRESS_FIELDS)[number],
  before: readonly Address[] = [],
  next: readonly Address[] = [],
): Record<string, unknown> {
  const was = before.map(({ ip }) => ip);
  const wanted = next.map(({ ip }) => ip);
  if (meansSame(was, wanted)) return {};
  return {
    [field]: [
      ...wanted.filter((ip) => !was.includes(ip)).map((ip) => ({ ip })),
      ...was.filter((ip) => !wanted.includes(ip)).map((ip) => ({ ip, $patch: 'delete' })),
    ],
    ...(wanted.length === 0 ? {} : { [`$setElementOrder/${field}`]: wanted.map((ip) => ({ ip })) }),
  };
}

const CONDITION_FIELDS = ['status', 'reason', 'message', 'lastTransitionTime', 'observedGeneration'] as const;

/** Conditions are merged by `type`. */
function conditionsPatch(before: readonly PodCondition[], next: readonly PodCondition[]): object[] {
  const changed = next.flatMap((condition): object[] => {
    const old = before.find(({ type }) => type === condition.type);
    if (old === undefined) return [condition];
    const fields = CONDITION_FIELDS.filter((field) => !meansSame(old[field], condition[field]));
    if (fields.length === 0) return [];
    return [
      {
        type: condition.type,
        ...Object.fromEntries(fields.map((field) => [field, condition[field] ?? null])),
      },
    ];
  });
  const gone = before
    .filter(({ type }) => !next.some((condition) => condition.type === type))
    .map(({ type }) => ({ type, $patch: 'delete' }));
  return [...changed, ...gone];
}

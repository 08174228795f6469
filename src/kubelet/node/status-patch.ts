/** The difference of two versions of a Node object as a strategic merge patch of `nodes/NAME/status`. */
import { isDeepStrictEqual } from 'node:util';
import type { Node } from '#lib/kube/types.ts';
import type { NodeCondition } from './conditions.ts';
import type { NodeStatus } from './node-status.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What changes in a map, `null` for what goes; undefined: nothing. Lists are replaced. */
function mapDifference(before: Json, after: Json): Json | undefined {
  const patch: Json = {};
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (value === undefined || isDeepStrictEqual(old, value)) continue;
    patch[key] = isObject(old) && isObject(value) ? (mapDifference(old, value) ?? {}) : value;
  }
  for (const key of Object.keys(before)) {
    if (before[key] !== undefined && after[key] === undefined) patch[key] = null;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** An absent list or map and an empty one are the same to the API. */
function withoutEmpty(fields: object): Json {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]: [string, unknown]) => {
      if (value === undefined || value === null) return false;
      return Array.isArray(value) ? value.length > 0 : !isObject(value) || Object.keys(value).length > 0;
    }),
  );
}

const beatless = ({ lastHeartbeatTime: _, ...rest }: NodeCondition): unknown => rest;

const byType = (conditions: readonly NodeCondition[]): unknown[] =>
  conditions.toSorted((a, b) => (a.type < b.type ? -1 : 1)).map(beatless);

/** Whether anything but the heartbeat differs. */
export function nodeHasChanged(before: Node, after: Node): boolean {
  const bare = ({ conditions: _c, ...rest }: NodeStatus): Json => withoutEmpty(rest);
  const [old, next] = [before.status ?? {}, after.status ?? {}];
  return (
    !isDeepStrictEqual(byType(old.conditions ?? []), byType(next.conditions ?? [])) ||
    !isDeepStrictEqual(bare(old), bare(next)) ||
    !isDeepStrictEqual(metadataOf(before), metadataOf(after))
  );
}

const metadataOf = ({ metadata }: Node): Json =>
  withoutEmpty({ labels: metadata?.labels, annotations: metadata?.annotations });

/** The patch; undefined where there is nothing to write. Conditions of others are never in it. */
export function statusPatch(before: Node, after: Node): Json | undefined {
  const metadata = mapDifference(metadataOf(before), metadataOf(after));
  const { conditions: oldConditions = [], addresses: oldAddresses = [], ...old } = before.status ?? {};
  const { conditions = [], addresses = [], ...next } = after.status ?? {};
  const status = mapDifference(withoutEmpty(old), withoutEmpty(next)) ?? {};
  const changed = conditions.filter((each) => !oldConditions.some((other) => isDeepStrictEqual(each, other)));
  if (changed.length > 0) status['conditions'] = changed;
  // Addresses are declared to merge by type, of which there may be several: they are replaced as a whole.
  if (!isDeepStrictEqual(oldAddresses, addresses)) {
    status['addresses'] = [...addresses, { $patch: 'replace' }];
  }
  if (metadata === undefined && Object.keys(status).length === 0) return undefined;
  return {
    ...(metadata === undefined ? {} : { metadata }),
    ...(Object.keys(status).length === 0 ? {} : { status }),
  };
}

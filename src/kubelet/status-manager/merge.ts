import type { PodCondition, PodStatus } from '#lib/kube/types.ts';
import { isTerminalPhase } from '../pod/api-pod.ts';
import { ADDRESS_FIELDS, OWN_FIELDS, SHARED_CONDITION, isOwnCondition } from './own-fields.ts';

/**
 * The status that the API server should have: its own, with the agent's parts put in.
 *
 * - Conditions of others stay, and so does PodScheduled where the agent says nothing of it.
 * - A terminal phase is never left, whoever set it, and never taken while something of the pod may run.
 */
export function mergeStatus(api: PodStatus, own: PodStatus, mayRun: boolean): PodStatus {
  const merged: PodStatus = { ...api };
  for (const field of [...OWN_FIELDS, ...ADDRESS_FIELDS]) {
    // Of these only what says something is the agent's: another agent may have had more to say.
    if (field === 'ephemeralContainerStatuses' && own[field] === undefined) continue;
    delete merged[field];
    if (own[field] !== undefined) Object.assign(merged, { [field]: own[field] });
  }
  const held =
    isTerminalPhase(api.phase) || (mayRun && isTerminalPhase(own.phase) && !isTerminalPhase(api.phase));
  if (held && merged.phase !== api.phase) takeOutcome(merged, api);
  const becomesTerminal = !isTerminalPhase(api.phase) && isTerminalPhase(merged.phase);
  merged.conditions = conditions(api.conditions ?? [], own.conditions ?? [], becomesTerminal);
  if (isTerminalPhase(merged.phase)) merged.conditions = merged.conditions.map(notReady(merged.phase));
  return merged;
}

function takeOutcome(merged: PodStatus, api: PodStatus): void {
  for (const field of ['phase', 'reason', 'message'] as const) {
    delete merged[field];
    if (api[field] !== undefined) merged[field] = api[field];
  }
}

function conditions(
  api: readonly PodCondition[],
  own: readonly PodCondition[],
  becomesTerminal: boolean,
): PodCondition[] {
  const said = own.filter(({ type }) => isOwnCondition(type));
  const shared = becomesTerminal ? own.find(({ type }) => type === SHARED_CONDITION) : undefined;
  const kept = api.filter(({ type }) => {
    if (type === 'PodScheduled') return !said.some((each) => each.type === type);
    return !isOwnCondition(type) && type !== shared?.type;
  });
  return [...kept, ...(shared === undefined ? [] : [shared]), ...said];
}

/** No pod is ready that has come to its end. */
const notReady =
  (phase: 'Succeeded' | 'Failed') =>
  (condition: PodCondition): PodCondition => {
    const { type, status } = condition;
    if ((type !== 'Ready' && type !== 'ContainersReady') || status !== 'True') return condition;
    const { message: _message, ...rest } = condition;
    return { ...rest, status: 'False', reason: phase === 'Failed' ? 'PodFailed' : 'PodCompleted' };
  };

/** The node's conditions, with upstream's reasons and messages (pkg/kubelet/nodestatus). */
import type { Node } from '#lib/kube/types.ts';
import { apiTime } from '../status/time.ts';

export type NodeCondition = NonNullable<NonNullable<Node['status']>['conditions']>[number];

/** Which of the node's supplies run out. */
export interface NodePressure {
  memory: boolean;
  disk: boolean;
  pids: boolean;
}

interface Wording {
  /** The condition's reason and the event's. */
  reason: string;
  event: string;
  message: string;
}

interface PressureKind {
  type: 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';
  signal: keyof NodePressure;
  pressed: Wording;
  free: Wording;
}

const KINDS: readonly PressureKind[] = [
  {
    type: 'MemoryPressure',
    signal: 'memory',
    pressed: {
      reason: 'KubeletHasInsufficientMemory',
      event: 'NodeHasInsufficientMemory',
      message: 'kubelet has insufficient memory available',
    },
    free: {
      reason: 'KubeletHasSufficientMemory',
      event: 'NodeHasSufficientMemory',
      message: 'kubelet has sufficient memory available',
    },
  },
  {
    type: 'DiskPressure',
    signal: 'disk',
    pressed: {
      reason: 'KubeletHasDiskPressure',
      event: 'NodeHasDiskPressure',
      message: 'kubelet has disk pressure',
    },
    free: {
      reason: 'KubeletHasNoDiskPressure',
      event: 'NodeHasNoDiskPressure',
      message: 'kubelet has no disk pressure',
    },
  },
  {
    type: 'PIDPressure',
    signal: 'pids',
    pressed: {
      reason: 'KubeletHasInsufficientPID',
      event: 'NodeHasInsufficientPID',
      message: 'kubelet has insufficient PID available',
    },
    free: {
      reason: 'KubeletHasSufficientPID',
      event: 'NodeHasSufficientPID',
      message: 'kubelet has sufficient PID available',
    },
  },
];

/** The conditions that are the agent's; all others of the object are somebody else's. */
export const OWN_CONDITIONS: readonly string[] = [...KINDS.map(({ type }) => type), 'Ready'];

export interface ConditionFacts {
  pressure: NodePressure;
  /** Why the node isn't ready, in order; empty: it is. */
  troubles: readonly string[];
  /** What a ready node still should be told of. */
  warnings: readonly string[];
}

/** Several reasons as Go prints an aggregate of errors. */
const aggregate = (reasons: readonly string[]): string => {
  const different = [...new Set(reasons)];
  return different.length === 1 ? (different[0] ?? '') : `[${different.join(', ')}]`;
};

function readyCondition({ troubles, warnings }: ConditionFacts): Omit<NodeCondition, 'lastTransitionTime'> {
  const ready = troubles.length === 0;
  const message = ready ? 'kubelet is posting ready status' : aggregate(troubles);
  return {
    type: 'Ready',
    status: ready ? 'True' : 'False',
    reason: ready ? 'KubeletReady' : 'KubeletNotReady',
    message: warnings.length === 0 ? message : `${message}. WARNING: ${aggregate(warnings)}`,
  };
}

/**
 * The node's conditions: those of others as they are, the agent's own in their places or, where they are new, at the
 * end, Ready last. `now`: wall milliseconds.
 */
export function nodeConditions(
  before: readonly NodeCondition[],
  facts: ConditionFacts,
  now: number,
): NodeCondition[] {
  const time = apiTime(now);
  const own = KINDS.map(({ type, signal, pressed, free }) => {
    const { reason, message } = facts.pressure[signal] ? pressed : free;
    return { type, status: facts.pressure[signal] ? 'True' : 'False', reason, message };
  });
  const wanted = [...own, readyCondition(facts)].map((condition): NodeCondition => {
    const old = before.find(({ type }) => type === condition.type);
    const same = old?.status === condition.status;
    return {
      ...condition,
      lastHeartbeatTime: time,
      lastTransitionTime: same ? (old.lastTransitionTime ?? time) : time,
    };
  });
  const placed = before.map((old) => wanted.find(({ type }) => type === old.type) ?? old);
  const added = wanted.filter(({ type }) => !before.some((old) => old.type === type));
  return [...placed, ...added];
}

/** The reasons of the events that tell of the change from one list of conditions to another. */
export function conditionEvents(before: readonly NodeCondition[], after: readonly NodeCondition[]): string[] {
  return after.flatMap((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    if (old?.status === condition.status) return [];
    // A node's first Ready says nothing that its creation doesn't say.
    if (condition.type === 'Ready') {
      if (old === undefined) return [];
      return [condition.status === 'True' ? 'NodeReady' : 'NodeNotReady'];
    }
    const kind = KINDS.find(({ type }) => type === condition.type);
    if (kind === undefined) return [];
    return [(condition.status === 'True' ? kind.pressed : kind.free).event];
  });
}

import type { AgentPod, ContainerStatus, PodCondition } from '#lib/kube/types.ts';
import { type ContainerView, isInitKind } from '../pod/instances.ts';
import type { Phase } from './phase.ts';

interface Verdict {
  type: string;
  status: 'True' | 'False';
  reason?: string;
  message?: string;
}

const isTrue = (type: string, reason?: string): Verdict => ({
  type,
  status: 'True',
  ...(reason === undefined ? {} : { reason }),
});

/** `containers with unknown status: [a b], containers with incomplete status: [c]` */
function list(parts: readonly (readonly [string, readonly string[]])[]): string {
  return parts
    .filter(([, names]) => names.length > 0)
    .map(([words, names]) => `${words}: [${names.join(' ')}]`)
    .join(', ');
}

function initializedVerdict(
  views: readonly ContainerView[],
  statuses: ReadonlyMap<string, ContainerStatus>,
  phase: Phase,
  initialized: boolean,
): Verdict {
  const type = 'Initialized';
  const init = views.filter(isInitKind);
  if (init.length === 0 || initialized)
    return isTrue(type, phase === 'Succeeded' ? 'PodCompleted' : undefined);
  if (phase === 'Succeeded') return isTrue(type, 'PodCompleted');
  const incomplete = init.filter((view) => {
    const status = statuses.get(view.spec.name);
    if (view.kind === 'sidecar') return status?.started !== true;
    // With the pod failed, only what failed is named.
    const ended = status?.state?.terminated ?? status?.lastState?.terminated;
    if (phase === 'Failed' && ended === undefined) return false;
    return status?.ready !== true;
  });
  const names = incomplete.map((view) => view.spec.name);
  if (names.length === 0) return isTrue(type);
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: list([['containers with incomplete status', names]]),
  };
}

function readyVerdict(
  views: readonly ContainerView[],
  statuses: ReadonlyMap<string, ContainerStatus>,
  phase: Phase,
): Verdict {
  const type = 'ContainersReady';
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' };
  // Init containers are done when they matter no more; sidecars stay part of the pod.
  const counted = views
    .filter(({ kind }) => kind === 'app' || kind === 'sidecar')
    .map((view) => view.spec.name);
  const unknown = counted.filter((name) => statuses.get(name) === undefined);
  const unready = counted.filter((name) => statuses.get(name)?.ready === false);
  if (unknown.length === 0 && unready.length === 0) return isTrue(type);
  return {
    type,
    status: 'False',
    reason: 'ContainersNotReady',
    message: list([
      ['containers with unknown status', unknown],
      ['containers with unready status', unready],
    ]),
  };
}

/** Ready is ContainersReady and whatever else the pod's owner makes it depend on. */
function withGates(containersReady: Verdict, { spec, status }: AgentPod): Verdict {
  if (containersReady.status === 'False') return { ...containersReady, type: 'Ready' };
  const unmet = (spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = status?.conditions?.find((each) => each.type === conditionType);
    if (condition === undefined)
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (condition.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`];
  });
  if (unmet.length === 0) return isTrue('Ready');
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: unmet.join(', ') };
}

export interface ConditionInputs {
  /** With the status that the API server has: readiness gates look at conditions of others. */
  pod: AgentPod;
  views: readonly ContainerView[];
  statuses: ReadonlyMap<string, ContainerStatus>;
  phase: Phase;
  initialized: boolean;
  /** Whether the pod has a sandbox with its network. */
  sandboxReady: boolean;
  /** RFC 3339 of this moment, for what changes now. */
  now: string;
  previous: readonly PodCondition[];
}

/** The conditions that the agent owns, in upstream's order, with the times of their last change kept. */
export function podConditions(inputs: ConditionInputs): PodCondition[] {
  const { pod, views, statuses, phase, initialized } = inputs;
  const containersReady = readyVerdict(views, statuses, phase);
  const { generation } = pod.metadata;
  const verdicts: Verdict[] = [
    { type: 'PodReadyToStartContainers', status: inputs.sandboxReady ? 'True' : 'False' },
    initializedVerdict(views, statuses, phase, initialized),
    withGates(containersReady, pod),
    containersReady,
    isTrue('PodScheduled'),
  ];
  return verdicts.map((verdict) => {
    const before = inputs.previous.find((condition) => condition.type === verdict.type);
    const since = before?.status === verdict.status ? before.lastTransitionTime : undefined;
    return {
      ...verdict,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime: since ?? inputs.now,
    };
  });
}

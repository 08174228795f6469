import type { PodSandboxStatus } from '#cri/types.ts';
import { podQosClass } from '#lib/kube/qos.ts';
import type { AgentPod, ContainerStatus, PodCondition, PodStatus } from '#lib/kube/types.ts';
import { isApiPod, isTerminalPhase } from '../pod/api-pod.ts';
import type { WaitingReason } from '../pod/decision.ts';
import type { Healths } from '../pod/health.ts';
import type { ContainerKind, ContainerView } from '../pod/instances.ts';
import type { PodRecord } from '../pod/record.ts';
import { onePerFamily } from '../spec/pod-ips.ts';
import { podConditions } from './conditions.ts';
import { containerStatus } from './container-status.ts';
import { endStatuses, endedPhase } from './ended.ts';
import { type Phase, podPhase } from './phase.ts';
import { resizeConditions } from './resize-conditions.ts';
import { apiTime } from './time.ts';

/** Everything that a pod's status is a function of. */
export interface StatusInputs {
  pod: AgentPod;
  record: PodRecord | undefined;
  containers: readonly ContainerView[];
  /** The sandbox that the containers belong in, if it is up. */
  sandbox: PodSandboxStatus | undefined;
  initialized: boolean;
  waiting: ReadonlyMap<string, WaitingReason>;
  healths: Healths;
  terminal: PodRecord['terminal'];
  /** Whether somebody wants the pod gone. */
  isEnding: boolean;
  /** Whether a process of the pod may run: until none does, its phase isn't a terminal one. */
  mayRun: boolean;
  /** What was published last: conditions keep their times. */
  previous: PodStatus | undefined;
  /** Why the resize under way doesn't come to its end. */
  resizeError?: string | undefined;
  hostIps: readonly string[];
  runtimeName: string;
  now: number;
}

export function podStatus(inputs: StatusInputs): PodStatus {
  const { pod, containers, record, previous, hostIps } = inputs;
  const statuses = containerStatuses(inputs);
  const of = (...kinds: ContainerKind[]): ContainerStatus[] =>
    containers
      .filter(({ kind }) => kinds.includes(kind))
      .flatMap((view) => statuses.get(view.spec.name) ?? []);
  const outcome = outcomeOf(inputs, statuses);
  const ips = podIps(inputs);
  const initContainerStatuses = of('init', 'sidecar');
  const ephemeralContainerStatuses = of('ephemeral');
  const now = apiTime(inputs.now);
  const generation = Math.max(pod.metadata.generation ?? 0, previous?.observedGeneration ?? 0);
  return {
    ...(generation === 0 ? {} : { observedGeneration: generation }),
    ...outcome,
    conditions: [
      ...disruption(inputs, outcome.phase, now),
      ...(isTerminalPhase(outcome.phase) ? [] : resizeConditions(record, inputs.resizeError)),
      ...podConditions({
        pod,
        views: containers,
        statuses,
        phase: outcome.phase,
        initialized: inputs.initialized,
        sandboxReady: inputs.sandbox !== undefined,
        now,
        previous: previous?.conditions ?? [],
      }),
    ],
    ...(hostIps[0] === undefined ? {} : { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    ...(record === undefined ? {} : { startTime: record.startTime }),
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses: of('app'),
    ...(ephemeralContainerStatuses.length === 0 ? {} : { ephemeralContainerStatuses }),
    qosClass: podQosClass(pod),
  };
}

/** Whether the pod was ended from outside and nothing of it runs. A static pod has no end in that sense. */
const hasEnded = ({ pod, isEnding, mayRun }: StatusInputs): boolean => isEnding && !mayRun && isApiPod(pod);

function containerStatuses(inputs: StatusInputs): Map<string, ContainerStatus> {
  const context = {
    runtimeName: inputs.runtimeName,
    hasInitContainers: (inputs.pod.spec.initContainers?.length ?? 0) > 0,
    initialized: inputs.initialized,
    waiting: inputs.waiting,
    healths: inputs.healths,
    actuated: inputs.record?.actuated ?? {},
  };
  const statuses = new Map(
    inputs.containers.map((view) => [view.spec.name, containerStatus(view, context)] as const),
  );
  return hasEnded(inputs) ? endStatuses(inputs.containers, statuses) : statuses;
}

/** Phase, with the reason and message that belong to it. */
function outcomeOf(
  inputs: StatusInputs,
  statuses: ReadonlyMap<string, ContainerStatus>,
): { phase: Phase; reason?: string; message?: string } {
  const { pod, containers, terminal, previous } = inputs;
  const otherwise = hasEnded(inputs)
    ? endedPhase(containers, statuses)
    : podPhase(pod, containers, statuses, inputs.initialized);
  const phase = terminal?.phase ?? otherwise;
  // Whoever acts on a terminal phase relies on it that nothing runs any more.
  if (inputs.mayRun && isTerminalPhase(phase) && !isTerminalPhase(previous?.phase)) {
    return withWords((previous?.phase as Phase | undefined) ?? 'Running', previous);
  }
  return withWords(phase, terminal);
}

function withWords(
  phase: Phase,
  words: { reason?: string; message?: string } | undefined,
): ReturnType<typeof outcomeOf> {
  return {
    phase,
    ...(words?.reason === undefined ? {} : { reason: words.reason }),
    ...(words?.message === undefined ? {} : { message: words.message }),
  };
}

/** Upstream says only together with the terminal phase that the node ended the pod for reasons of its own. */
function disruption(inputs: StatusInputs, phase: Phase, now: string): PodCondition[] {
  const { pod, terminal, previous } = inputs;
  if (terminal?.disruption === undefined || !isTerminalPhase(phase)) return [];
  const { generation } = pod.metadata;
  const before = previous?.conditions?.find((each) => each.type === 'DisruptionTarget');
  return [
    {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'TerminationByKubelet',
      message: terminal.disruption.message,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime: before?.status === 'True' ? (before.lastTransitionTime ?? now) : now,
    },
  ];
}

function podIps(inputs: StatusInputs): readonly string[] {
  const over = inputs.terminal !== undefined || inputs.isEnding;
  const begun = inputs.sandbox !== undefined || over;
  if (inputs.pod.spec.hostNetwork === true) return begun ? inputs.hostIps : [];
  if (inputs.sandbox !== undefined) return onePerFamily(inputs.sandbox.ips, inputs.hostIps);
  // A pod that has ended keeps showing the address that it had.
  return over ? (inputs.record?.podIps ?? []) : [];
}

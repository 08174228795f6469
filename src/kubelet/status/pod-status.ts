import type { PodSandboxStatus } from '#cri/types.ts';
import { podQosClass } from '#lib/kube/qos.ts';
import type { AgentPod, ContainerStatus, PodStatus } from '#lib/kube/types.ts';
import type { WaitingReason } from '../pod/decision.ts';
import type { ContainerView } from '../pod/instances.ts';
import type { PodRecord } from '../pod/record.ts';
import { podConditions } from './conditions.ts';
import { containerStatus } from './container-status.ts';
import { podPhase } from './phase.ts';
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
  terminal: PodRecord['terminal'];
  /** What was published last: conditions keep their times. */
  previous: PodStatus | undefined;
  hostIps: readonly string[];
  runtimeName: string;
  now: number;
}

export function podStatus(inputs: StatusInputs): PodStatus {
  const { pod, containers, record, previous, hostIps } = inputs;
  const context = {
    runtimeName: inputs.runtimeName,
    hasInitContainers: (pod.spec.initContainers?.length ?? 0) > 0,
    initialized: inputs.initialized,
    waiting: inputs.waiting,
  };
  const statuses = new Map<string, ContainerStatus>(
    containers.map((view) => [view.spec.name, containerStatus(view, context)]),
  );
  const of = (init: boolean): ContainerStatus[] =>
    containers
      .filter((view) => (view.kind !== 'app') === init)
      .flatMap((view) => statuses.get(view.spec.name) ?? []);
  const phase = inputs.terminal?.phase ?? podPhase(pod, containers, statuses, inputs.initialized);
  const ips = podIps(inputs);
  const initContainerStatuses = of(true);
  return {
    phase,
    conditions: podConditions({
      views: containers,
      statuses,
      phase,
      initialized: inputs.initialized,
      sandboxReady: inputs.sandbox !== undefined,
      now: apiTime(inputs.now),
      previous: previous?.conditions ?? [],
    }),
    ...(inputs.terminal?.reason === undefined ? {} : { reason: inputs.terminal.reason }),
    ...(inputs.terminal?.message === undefined ? {} : { message: inputs.terminal.message }),
    ...(hostIps[0] === undefined ? {} : { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    ...(record === undefined ? {} : { startTime: record.startTime }),
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses: of(false),
    qosClass: podQosClass(pod),
  };
}

function podIps(inputs: StatusInputs): readonly string[] {
  const begun = inputs.sandbox !== undefined || inputs.terminal !== undefined;
  if (inputs.pod.spec.hostNetwork === true) return begun ? inputs.hostIps : [];
  if (inputs.sandbox !== undefined) return inputs.sandbox.ips;
  // A pod that has ended keeps showing the address that it had.
  return inputs.terminal === undefined ? [] : (inputs.record?.podIps ?? []);
}

import type { PodSandbox } from '#cri/types.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { PodState } from './decision.ts';
import type { Kill, Step, StepOf } from './steps.ts';

/** One step that stops every container that may run (but for those in the sandbox `except`), or none. */
export function killRunning(
  state: PodState,
  gracePeriodSeconds: number,
  options: { message?: string; except?: string } = {},
): Step[] {
  const kills: Kill[] = [];
  for (const { spec, current, previous } of state.containers) {
    for (const instance of [current, previous]) {
      if (instance === undefined || !instance.inRuntime || instance.sandboxId === options.except) continue;
      if (instance.state !== 'running' && instance.state !== 'unknown') continue;
      kills.push({
        id: instance.id,
        name: spec.name,
        message: options.message ?? `Stopping container ${spec.name}`,
      });
    }
  }
  return kills.length === 0 ? [] : [{ kind: 'killContainers', kills, gracePeriodSeconds, ordered: true }];
}

/** Stops one container, the rest of the pod running on. */
export const killOne = (
  pod: AgentPod,
  name: string,
  id: string,
  message: string,
  gracePeriodSeconds: number = specGrace(pod),
): StepOf<'killContainers'> => ({
  kind: 'killContainers',
  kills: [{ id, name, message }],
  gracePeriodSeconds,
  ordered: false,
});

/** Stops each sandbox that this process hasn't stopped yet: a dead one too, since its network outlives it. */
export function stopSandboxes(state: PodState, sandboxes: readonly PodSandbox[]): Step[] {
  return sandboxes
    .filter((sandbox) => sandbox.state === 'SANDBOX_READY' || !state.stoppedSandboxes.has(sandbox.id))
    .map((sandbox) => ({ kind: 'stopSandbox', id: sandbox.id }));
}

/** The grace period that the pod's spec asks for, in seconds. */
export const specGrace = (pod: AgentPod): number => pod.spec.terminationGracePeriodSeconds ?? 30;

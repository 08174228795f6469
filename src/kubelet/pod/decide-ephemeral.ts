import type { PodSandboxStatus } from '#cri/types.ts';
import { decideStart } from './decide-start.ts';
import type { Decision, PodState } from './decision.ts';

/**
 * Starts each ephemeral container once, whatever the state of the pod's others: also in a pod whose init containers
 * don't come to their end, since that is when somebody wants to look.
 */
export function decideEphemeral(state: PodState, sandbox: PodSandboxStatus, decision: Decision): void {
  for (const view of state.containers) {
    if (view.kind !== 'ephemeral') continue;
    if (view.current === undefined || view.current.state === 'created')
      decideStart(state, sandbox, view, decision);
  }
}

import type { PodSandboxStatus } from '#cri/types.ts';
import { containerHash } from './container-hash.ts';
import { decideStart } from './decide-start.ts';
import { type Decision, type PodState, emptyDecision, wakeBy } from './decision.ts';
import type { ContainerView } from './instances.ts';
import { killOne } from './stopping.ts';

/** Whether the container runs with another image than the pod asks for now. */
export const isEdited = ({ spec, current }: ContainerView): boolean =>
  current?.state === 'running' && current.hash !== undefined && current.hash !== containerHash(spec);

/**
 * The container's image was edited: it is restarted whatever its restart policy, once the new image is here. The old
 * instance runs until then.
 */
export function replaceEdited(
  state: PodState,
  sandbox: PodSandboxStatus,
  view: ContainerView,
  decision: Decision,
): void {
  const start = emptyDecision();
  const outcome = decideStart(state, sandbox, { ...view, current: undefined }, start);
  if (outcome === 'started' && view.current !== undefined) {
    const message = `Container ${view.spec.name} definition changed, will be restarted`;
    decision.steps.push(killOne(state.pod, view.spec.name, view.current.id, message));
  }
  decision.steps.push(...start.steps);
  decision.waits.push(...start.waits);
  wakeBy(decision, start.wakeAt);
}

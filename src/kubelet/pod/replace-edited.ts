import type { PodSandboxStatus } from '#cri/types.ts';
import { containerHash } from './container-hash.ts';
import { resizeNeedsRestart } from './decide-resize.ts';
import { decideStart } from './decide-start.ts';
import { type Decision, type PodState, emptyDecision, wakeBy } from './decision.ts';
import type { ContainerView } from './instances.ts';
import { killOne } from './stopping.ts';

/** Whether the container runs with another image than the pod asks for now. */
const isEdited = ({ spec, current }: ContainerView): boolean =>
  current?.state === 'running' && current.hash !== undefined && current.hash !== containerHash(spec);

/**
 * Replaces a running container whose image was edited, or whose resources change only with a restart; `message` says
 * which. It is restarted whatever its restart policy, once the new image is here. The old
 * instance runs until then.
 */
function replaceEdited(
  state: PodState,
  sandbox: PodSandboxStatus,
  view: ContainerView,
  decision: Decision,
  message = `Container ${view.spec.name} definition changed, will be restarted`,
): boolean {
  const start = emptyDecision();
  const outcome = decideStart(state, sandbox, { ...view, current: undefined }, start);
  if (outcome === 'started' && view.current !== undefined) {
    decision.steps.push(killOne(state.pod, view.spec.name, view.current.id, message));
  }
  decision.steps.push(...start.steps);
  decision.waits.push(...start.waits);
  wakeBy(decision, start.wakeAt);
  return outcome === 'started';
}

/** Replaces a running container that can't go on as it is; says whether it ends now. */
export function replaceChanged(
  state: PodState,
  sandbox: PodSandboxStatus,
  view: ContainerView,
  decision: Decision,
): boolean {
  if (isEdited(view)) return replaceEdited(state, sandbox, view, decision);
  if (!resizeNeedsRestart(view, state.record)) return false;
  const message = `Container ${view.spec.name} resize requires restart`;
  return replaceEdited(state, sandbox, view, decision, message);
}

import type { PodSandboxStatus } from '#cri/types.ts';
import { containerHash } from './container-hash.ts';
import { decideStart, prefetchImage } from './decide-start.ts';
import { type Decision, type PodState, emptyDecision, wakeBy } from './decision.ts';
import type { ContainerView, Instance } from './instances.ts';
import { isDone } from './restart-policy.ts';
import { specGrace } from './stopping.ts';

/**
 * Starts app containers in the order of the spec, and each again as its restart policy says. One that fails to
 * start doesn't hold up the others; one whose image is still on its way does, since people rely on the order.
 */
export function decideApps(state: PodState, sandbox: PodSandboxStatus, decision: Decision): void {
  const apps = state.containers.filter((view) => view.kind === 'app');
  let held = false;
  for (const view of apps) {
    const { current } = view;
    if (current?.state === 'running') {
      if (current.hash !== undefined && current.hash !== containerHash(view.spec))
        replace(state, sandbox, view, current, decision);
      continue;
    }
    if (isDone(state.pod, view)) continue;
    if (current?.state === 'unknown' && current.inRuntime) {
      const message = 'Container is in "unknown" state, try killing it before restart';
      kill(state, view, current, message, decision);
      continue;
    }
    if (held) prefetchImage(state, view, decision);
    else held = decideStart(state, sandbox, view, decision) === 'coming';
  }
}

/**
 * The container's image was edited: it is restarted whatever its restart policy, once the new image is here. The old
 * instance runs until then.
 */
function replace(
  state: PodState,
  sandbox: PodSandboxStatus,
  view: ContainerView,
  current: Instance,
  decision: Decision,
): void {
  const start = emptyDecision();
  const outcome = decideStart(state, sandbox, { ...view, current: undefined }, start);
  if (outcome === 'started') {
    kill(state, view, current, `Container ${view.spec.name} definition changed, will be restarted`, decision);
  }
  decision.steps.push(...start.steps);
  decision.waits.push(...start.waits);
  wakeBy(decision, start.wakeAt);
}

function kill(
  state: PodState,
  view: ContainerView,
  current: Instance,
  message: string,
  decision: Decision,
): void {
  decision.steps.push({
    kind: 'killContainers',
    kills: [{ id: current.id, name: view.spec.name, message }],
    gracePeriodSeconds: specGrace(state.pod),
    ordered: false,
  });
}

import type { PodSandboxStatus } from '#cri/types.ts';
import { decideStart } from './decide-start.ts';
import type { Decision, PodState } from './decision.ts';
import { healthOf } from './health.ts';
import { type ContainerView, type Instance, isInitKind } from './instances.ts';
import { awaitsHook, killUnhealthy } from './look-after.ts';
import { replaceChanged } from './replace-edited.ts';
import { restartsAfter } from './restart-policy.ts';
import { killOne } from './stopping.ts';

/**
 * Runs init containers one after the other, each to its end, and keeps sidecars (restartable init containers)
 * running from their turn on. Returns whether the app containers may start.
 *
 * A new sandbox begins from the start: only what ran in `sandbox` counts.
 */
export function decideInit(state: PodState, sandbox: PodSandboxStatus, decision: Decision): boolean {
  const views = state.containers.filter(isInitKind);
  const here = (view: ContainerView): Instance | undefined =>
    view.current?.sandboxId === sandbox.id ? view.current : undefined;
  const initialized =
    state.record?.initializedIn === sandbox.id ||
    state.containers.some((view) => view.kind === 'app' && here(view) !== undefined);
  // Whatever stands before the furthest container that has run here has had its turn.
  const furthest = views.findLastIndex((view) => here(view) !== undefined);
  for (const [index, view] of views.entries()) {
    const instance = here(view);
    const isInHand = view.kind === 'sidecar' && instance?.state === 'running';
    if (isInHand && !awaitsHook(state, view, decision) && !replaceChanged(state, sandbox, view, decision))
      killUnhealthy(state, view, decision);
    if (initialized || index < furthest) {
      if (view.kind === 'sidecar' && instance?.state !== 'running') start(state, sandbox, view, decision);
      continue;
    }
    if (!hasDoneItsPart(state, view, instance)) {
      if (instance?.state !== 'running') {
        start(state, sandbox, view, decision);
      } else if (view.kind === 'init') {
        decision.waits.push({
          subject: `container ${view.spec.name}`,
          reason: 'PodInitializing',
          message: `Init container ${view.spec.name} (${index + 1} of ${views.length}) is running; the next starts when it has ended.`,
        });
      }
      return false;
    }
  }
  return true;
}

/** An init container has when it ended well; a sidecar has when it runs and has started. */
function hasDoneItsPart(state: PodState, view: ContainerView, instance: Instance | undefined): boolean {
  if (view.kind === 'sidecar') return instance?.state === 'running' && healthOf(state.healths, view).started;
  return instance?.state === 'exited' && instance.exitCode === 0;
}

function start(state: PodState, sandbox: PodSandboxStatus, view: ContainerView, decision: Decision): void {
  const { current } = view;
  if (current?.state === 'unknown' && current.inRuntime) {
    // Nobody knows whether it runs: make sure that it doesn't before there are two.
    const message = 'Init container is in "unknown" state, try killing it before restart';
    decision.steps.push(killOne(state.pod, view.spec.name, current.id, message));
    return;
  }
  const ended = current?.state === 'exited' && current.sandboxId === sandbox.id ? current : undefined;
  // The pod has failed for good: terminalOf says so once nothing else is in the way.
  if (ended !== undefined && view.kind === 'init' && !restartsAfter(state.pod, view, ended.exitCode)) return;
  decideStart(state, sandbox, view, decision);
}

import type { PodSandboxStatus } from '#cri/types.ts';
import { decideStart, prefetchImage } from './decide-start.ts';
import type { Decision, PodState } from './decision.ts';
import { awaitsHook, killUnhealthy } from './look-after.ts';
import { replaceChanged } from './replace-edited.ts';
import { isDone } from './restart-policy.ts';
import { killOne } from './stopping.ts';

/**
 * Starts app containers in the order of the spec, and each again as its restart policy says. One that fails to
 * start doesn't hold up the others; one whose image is still on its way, or whose postStart hook has yet to end, does,
 * since people rely on the order.
 */
export function decideApps(state: PodState, sandbox: PodSandboxStatus, decision: Decision): void {
  const apps = state.containers.filter((view) => view.kind === 'app');
  let held = false;
  for (const view of apps) {
    const { current } = view;
    if (current?.state === 'running') {
      if (awaitsHook(state, view, decision)) held = true;
      else if (!replaceChanged(state, sandbox, view, decision)) killUnhealthy(state, view, decision);
      continue;
    }
    if (isDone(state.pod, view)) continue;
    if (current?.state === 'unknown' && current.inRuntime) {
      const message = 'Container is in "unknown" state, try killing it before restart';
      decision.steps.push(killOne(state.pod, view.spec.name, current.id, message));
      continue;
    }
    if (held) prefetchImage(state, view, decision);
    else {
      const outcome = decideStart(state, sandbox, view, decision);
      held = outcome === 'coming' || (outcome === 'started' && view.spec.lifecycle?.postStart !== undefined);
    }
  }
}

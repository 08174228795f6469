/** The statuses of containers once nothing of an ending pod runs any more (upstream's TerminatePod). */
import type { ContainerState, ContainerStatus } from '#lib/kube/types.ts';
import { type ContainerView, isInitKind, LOST_MESSAGE, LOST_REASON } from '../pod/instances.ts';

const lost: ContainerState = {
  terminated: { exitCode: 137, reason: LOST_REASON, message: LOST_MESSAGE },
};

const hasStarted = (status: ContainerStatus | undefined): boolean =>
  status !== undefined && (status.state?.waiting === undefined || status.lastState?.terminated !== undefined);

function endedWell(view: ContainerView, status: ContainerStatus | undefined): boolean {
  if (view.kind === 'sidecar') return status?.state?.running !== undefined && status.started === true;
  return [status?.state, status?.lastState].some((state) => state?.terminated?.exitCode === 0);
}

/**
 * Calls whatever has no end lost, exit code 137: app containers once the pod was initialized, and init containers up to
 * the last that has run.
 */
export function endStatuses(
  views: readonly ContainerView[],
  statuses: Map<string, ContainerStatus>,
): Map<string, ContainerStatus> {
  const init = views.filter(isInitKind);
  const apps = views.filter((view) => view.kind === 'app');
  const of = (view: ContainerView | undefined): ContainerStatus | undefined =>
    view && statuses.get(view.spec.name);
  const last = init.at(-1);
  const initialized =
    last === undefined || apps.some((view) => hasStarted(of(view))) || endedWell(last, of(last));
  const furthest = Math.max(
    init.findLastIndex((view) => hasStarted(of(view))),
    0,
  );
  const result = new Map(statuses);
  for (const view of [...init.slice(0, furthest + 1), ...(initialized ? apps : [])]) {
    const status = of(view);
    if (status === undefined || status.state?.terminated !== undefined) continue;
    result.set(view.spec.name, { ...status, state: lost, ready: false, started: false });
  }
  return result;
}

/** The phase of a pod that was ended: by the exit codes of its app containers, whatever their restart policies. */
export function endedPhase(
  views: readonly ContainerView[],
  statuses: ReadonlyMap<string, ContainerStatus>,
): 'Succeeded' | 'Failed' {
  const apps = views.filter((view) => view.kind === 'app');
  const well = apps.every((view) => statuses.get(view.spec.name)?.state?.terminated?.exitCode === 0);
  return well ? 'Succeeded' : 'Failed';
}

import type { AgentPod, ContainerStatus } from '#lib/kube/types.ts';
import type { ContainerView } from '../pod/instances.ts';
import { restartsAfter } from '../pod/restart-policy.ts';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** How a container counts towards the phase. */
type Standing = 'unknown' | 'waiting' | 'starting' | 'running' | 'restarting' | 'succeeded' | 'failed';

function standing(pod: AgentPod, view: ContainerView, status: ContainerStatus): Standing {
  if (status.state?.running !== undefined)
    return view.kind === 'sidecar' && status.started !== true ? 'starting' : 'running';
  // A container that waits after an earlier end counts as stopped, not as never started.
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  if (ended === undefined) return status.state?.waiting === undefined ? 'unknown' : 'waiting';
  if (restartsAfter(pod, view, ended.exitCode)) return 'restarting';
  return ended.exitCode === 0 ? 'succeeded' : 'failed';
}

/** What a pod must not have among its sidecars to count as initialized. */
const UNSETTLED: ReadonlySet<Standing> = new Set(['unknown', 'waiting', 'starting']);

/** The pod's phase from its containers' statuses (upstream's getPhase). */
export function podPhase(
  pod: AgentPod,
  views: readonly ContainerView[],
  statuses: ReadonlyMap<string, ContainerStatus>,
  initialized: boolean,
): Phase {
  const of = (kind: ContainerView['kind']): Standing[] =>
    views
      .filter((view) => view.kind === kind)
      .map((view) => {
        const status = statuses.get(view.spec.name);
        return status === undefined ? 'unknown' : standing(pod, view, status);
      });
  const init = of('init');
  const sidecars = of('sidecar');
  const apps = of('app');
  if (init.includes('failed')) return 'Failed';
  if (init.some((each) => each === 'waiting' || each === 'running' || each === 'unknown')) return 'Pending';
  if (!initialized && sidecars.some((each) => UNSETTLED.has(each))) return 'Pending';
  // A sidecar counts while it runs or waits for its first start; one that ended is no concern of the phase.
  const all = [...apps, ...sidecars.filter((each) => each === 'running' || UNSETTLED.has(each))];
  if (all.includes('waiting') || all.includes('unknown')) return 'Pending';
  if (all.includes('running') || all.includes('starting')) return 'Running';
  if (apps.length === 0) return 'Pending';
  if (apps.includes('restarting')) return 'Running';
  return apps.every((each) => each === 'succeeded') ? 'Succeeded' : 'Failed';
}

import { type Resizable, amountsOf } from './allocation.ts';
import { type Decision, type PodState, RESIZE, heldUp } from './decision.ts';
import type { ContainerView } from './instances.ts';
import type { PodRecord } from './record.ts';

/** The resources in which a running container has others than it was given; nobody knows of one that isn't recorded. */
export function resizesOf(view: ContainerView, record: Pick<PodRecord, 'actuated'> | undefined): Resizable[] {
  const { spec, current } = view;
  const actuated = record?.actuated?.[spec.name];
  if (current?.state !== 'running' || actuated === undefined) return [];
  const now = amountsOf({ name: spec.name, resources: actuated });
  const next = amountsOf(spec);
  const found: Resizable[] = [];
  if (now.memoryRequest !== next.memoryRequest || now.memoryLimit !== next.memoryLimit) found.push('memory');
  if (now.cpuRequest !== next.cpuRequest || now.cpuLimit !== next.cpuLimit) found.push('cpu');
  return found;
}

/** Whether the container asked to be restarted rather than changed under way. */
export function resizeNeedsRestart(
  view: ContainerView,
  record: Pick<PodRecord, 'actuated'> | undefined,
): boolean {
  return resizesOf(view, record).some((resource) =>
    view.spec.resizePolicy?.some(
      ({ resourceName, restartPolicy }) => resourceName === resource && restartPolicy === 'RestartContainer',
    ),
  );
}

/** Whether everything that runs has what it was given. */
export const isResized = (views: readonly ContainerView[], record: PodRecord): boolean =>
  record.resize?.inProgress?.applied === true && views.every((view) => resizesOf(view, record).length === 0);

/** Resizes the pod's group and its running containers: after what must end first, before what starts. */
export function decideResize(state: PodState, decision: Decision): void {
  const { record, containers } = state;
  const inProgress = record?.resize?.inProgress;
  if (record === undefined || inProgress === undefined) return;
  const changes = containers.some(
    (view) => resizesOf(view, record).length > 0 && !resizeNeedsRestart(view, record),
  );
  if (inProgress.applied && !changes) return;
  if (heldUp(state, decision, RESIZE)) return;
  const start = decision.steps.findIndex(({ kind }) => kind === 'startContainer' || kind === 'startCreated');
  decision.steps.splice(start < 0 ? decision.steps.length : start, 0, { kind: 'resize' });
}

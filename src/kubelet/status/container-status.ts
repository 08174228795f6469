import type { ContainerState, ContainerStatus, ResourceRequirements } from '#lib/kube/types.ts';
import { withAmounts } from '../pod/allocation.ts';
import type { WaitingReason } from '../pod/decision.ts';
import { type Healths, healthOf } from '../pod/health.ts';
import type { ContainerView, Instance } from '../pod/instances.ts';
import { apiTime } from './time.ts';

export interface ContainerStatusContext {
  /** `containerd`, `cri-o`: the scheme of container IDs. */
  runtimeName: string;
  /** Whether the pod has init containers: then what hasn't started waits with PodInitializing. */
  hasInitContainers: boolean;
  /** Whether init containers are over: then one that nobody remembers has done its work. */
  initialized: boolean;
  waiting: ReadonlyMap<string, WaitingReason>;
  healths: Healths;
  /** CPU and memory that running containers have, by name. */
  actuated: Readonly<Record<string, ResourceRequirements>>;
}

const containerId = (runtimeName: string, id: string): string => (id === '' ? '' : `${runtimeName}://${id}`);

function terminatedState(instance: Instance, runtimeName: string): ContainerState {
  return {
    terminated: {
      exitCode: instance.exitCode,
      ...(instance.reason === '' ? {} : { reason: instance.reason }),
      ...(instance.message === '' ? {} : { message: instance.message }),
      // Of one that nobody saw end, no times are known.
      ...(instance.startedAt > 0 ? { startedAt: apiTime(instance.startedAt) } : {}),
      ...(instance.finishedAt > 0 ? { finishedAt: apiTime(instance.finishedAt) } : {}),
      ...(instance.id === '' ? {} : { containerID: containerId(runtimeName, instance.id) }),
    },
  };
}

function instanceState(instance: Instance, runtimeName: string): ContainerState {
  switch (instance.state) {
    case 'running':
      return { running: { startedAt: apiTime(instance.startedAt) } };
    case 'exited':
      return terminatedState(instance, runtimeName);
    case 'created':
    case 'unknown':
      return { waiting: {} };
  }
}

/** A container's entry in the pod's status: a function of its instances and of what it waits for. */
export function containerStatus(view: ContainerView, context: ContainerStatusContext): ContainerStatus {
  const { spec, current, previous } = view;
  const { runtimeName } = context;
  const waiting = context.waiting.get(spec.name);
  const common = { name: spec.name, ...volumeMountStatuses(view) };
  // Upstream never calls an ephemeral container ready, nor says whether it has started.
  const counts = view.kind !== 'ephemeral';
  if (current === undefined) {
    const state = unseenState(view, context, waiting);
    return {
      ...common,
      image: spec.image ?? '',
      imageID: '',
      state,
      lastState: {},
      ready: state.terminated?.exitCode === 0,
      ...(counts ? { started: false } : {}),
      restartCount: 0,
    };
  }
  const state = view.isStarting
    ? { waiting: { reason: notYet(context) } }
    : instanceState(current, runtimeName);
  // What is about to run again waits; how it ended last moves to lastState.
  const overlaid = waiting !== undefined && state.running === undefined;
  const last = overlaid && state.terminated !== undefined ? state : lastState(previous, runtimeName);
  const { started, ready } = healthOf(context.healths, view);
  const running = state.running !== undefined;
  return {
    ...common,
    ...(spec.resources === undefined ? {} : { resources: running ? present(view, context) : spec.resources }),
    ...(spec.resources?.requests === undefined ? {} : { allocatedResources: spec.resources.requests }),
    image: current.image || (spec.image ?? ''),
    imageID: current.imageRef,
    containerID: containerId(runtimeName, current.id),
    state: overlaid ? { waiting: { ...waiting } } : state,
    lastState: last,
    ready: view.kind === 'init' ? state.terminated?.exitCode === 0 : counts && started && ready,
    ...(counts ? { started } : {}),
    restartCount: current.attempt,
    ...(current.user === undefined ? {} : { user: { linux: { ...current.user } } }),
  };
}

/** What a running container has: of CPU and memory that may be less than it was given. */
function present({ spec }: ContainerView, { actuated }: ContainerStatusContext): ResourceRequirements {
  const own = actuated[spec.name];
  return own === undefined ? { ...spec.resources } : withAmounts(spec.resources, own, ['memory', 'cpu']);
}

function lastState(previous: Instance | undefined, runtimeName: string): ContainerState {
  return previous?.state === 'exited' ? terminatedState(previous, runtimeName) : {};
}

function unseenState(
  view: ContainerView,
  context: ContainerStatusContext,
  waiting: WaitingReason | undefined,
): ContainerState {
  if (view.kind === 'init' && context.initialized) {
    return {
      terminated: {
        exitCode: 0,
        reason: 'Completed',
        message:
          'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally',
      },
    };
  }
  if (waiting !== undefined) return { waiting: { ...waiting } };
  return { waiting: { reason: notYet(context) } };
}

const notYet = ({ hasInitContainers }: ContainerStatusContext): string =>
  hasInitContainers ? 'PodInitializing' : 'ContainerCreating';

function volumeMountStatuses(view: ContainerView): Pick<ContainerStatus, 'volumeMounts'> {
  const mounts = view.spec.volumeMounts ?? [];
  if (mounts.length === 0) return {};
  return {
    volumeMounts: mounts.map((mount) => ({
      name: mount.name,
      mountPath: mount.mountPath,
      ...(mount.readOnly === true ? { readOnly: true, recursiveReadOnly: 'Disabled' } : {}),
    })),
  };
}

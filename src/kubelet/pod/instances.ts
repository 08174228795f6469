/** A pod's containers, each with its newest instance and the one before, from the runtime and the record. */
import type { ContainerStatus } from '#cri/types.ts';
import { InternalError } from '#lib/errors.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { HASH_ANNOTATION, attemptOf } from './labels.ts';
import type { EndedInstance, PodRecord } from './record.ts';

/** `ephemeral`: added to a running pod to look into it (`kubectl debug`); started once, and no part of the pod's work. */
export type ContainerKind = 'init' | 'sidecar' | 'app' | 'ephemeral';

export interface Instance extends EndedInstance {
  state: 'created' | 'running' | 'exited' | 'unknown';
  /** False for what only the record remembers. */
  inRuntime: boolean;
  /** kubelet's hash of image and name; undefined where only the record remembers. */
  hash: string | undefined;
  createdAt: number;
  /** The user that its first process got; undefined where the runtime doesn't say. */
  user?: NonNullable<ContainerStatus['user']>;
}

export interface ContainerView {
  spec: Container;
  kind: ContainerKind;
  current: Instance | undefined;
  previous: Instance | undefined;
  /** Whether it runs and its postStart hook has yet to end. */
  isStarting: boolean;
}

/** Whether it runs before the app containers, or beside them from then on. */
export const isInitKind = ({ kind }: Pick<ContainerView, 'kind'>): boolean =>
  kind === 'init' || kind === 'sidecar';

/** The runtime's status of a container, with the sandbox it runs in. */
export interface ObservedContainer {
  sandboxId: string;
  status: ContainerStatus;
}

export const kindOf = (pod: AgentPod, container: Container): ContainerKind => {
  const within = (list: readonly { name: string }[] | undefined): boolean =>
    list?.some(({ name }) => name === container.name) === true;
  if (within(pod.spec.ephemeralContainers)) return 'ephemeral';
  if (!within(pod.spec.initContainers)) return 'app';
  return container.restartPolicy === 'Always' ? 'sidecar' : 'init';
};

/** Init containers (sidecars among them) in order, then app containers in order, then ephemeral ones. */
export function allContainers(pod: AgentPod): Container[] {
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec;
  return [...initContainers, ...containers, ...ephemeralContainers];
}

/** Throws InternalError where the pod has no such container. */
export function containerOf(pod: AgentPod, name: string): Container {
  const container = allContainers(pod).find((each) => each.name === name);
  if (container === undefined) throw new InternalError(`pod ${pod.metadata.name} has no container ${name}`);
  return container;
}

const STATES = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
} as const;

function fromRuntime({ sandboxId, status }: ObservedContainer): Instance {
  return {
    id: status.id,
    attempt: attemptOf(status),
    sandboxId,
    state: STATES[status.state],
    inRuntime: true,
    hash: status.annotations[HASH_ANNOTATION],
    createdAt: status.createdAt,
    startedAt: status.startedAt,
    finishedAt: status.finishedAt,
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    image: status.image.userSpecifiedImage || status.image.image,
    imageRef: status.imageRef,
    imageId: status.imageId,
    ...(status.user === undefined ? {} : { user: status.user }),
  };
}

const fromRecord = (ended: EndedInstance): Instance => ({
  ...ended,
  state: 'exited',
  inRuntime: false,
  hash: undefined,
  createdAt: ended.startedAt,
});

/** Upstream's words for a container that ran and whose end nobody saw. */
export const LOST_REASON = 'ContainerStatusUnknown';
export const LOST_MESSAGE = 'The container could not be located when the pod was terminated';

export function viewContainers(
  pod: AgentPod,
  observed: readonly ObservedContainer[],
  record: PodRecord | undefined,
): ContainerView[] {
  return allContainers(pod).map((spec) => {
    const instances = observed
      .filter(({ status }) => status.metadata.name === spec.name)
      .map(fromRuntime)
      .sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt);
    const remembered = record?.containers[spec.name];
    const known = new Set(instances.map((instance) => instance.id));
    if (remembered !== undefined) {
      for (const ended of [remembered.ended, remembered.previous]) {
        if (ended !== undefined && !known.has(ended.id)) instances.push(fromRecord(ended));
      }
      const newest = Math.max(-1, ...instances.map((instance) => instance.attempt));
      // It was started, the runtime doesn't know it any more, and nobody saw its end.
      if (remembered.attempt > newest)
        instances.push(lost(remembered.id, remembered.attempt, remembered.sandboxId, spec));
      instances.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt);
    }
    const [current, previous] = instances;
    const isStarting =
      current?.state === 'running' && remembered?.id === current.id && remembered.postStart !== undefined;
    return { spec, kind: kindOf(pod, spec), current, previous, isStarting };
  });
}

function lost(id: string, attempt: number, sandboxId: string, spec: Container): Instance {
  return fromRecord({
    id,
    attempt,
    sandboxId,
    startedAt: 0,
    finishedAt: 0,
    exitCode: 137,
    reason: LOST_REASON,
    message: LOST_MESSAGE,
    image: spec.image ?? '',
    imageRef: '',
    imageId: '',
  });
}

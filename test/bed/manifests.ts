/** Manifests of small pods, and readers of their status. */
import { busyboxName } from '../../scripts/image/images.ts';
import type { Container, ContainerStatus, ObjectMeta, PodSpec } from '#lib/kube/types.ts';
import type { PodView } from '#server/view.ts';

/** A pod as the agent shows it, or as an API server does. */
type Shown = Pick<PodView, 'pod'>;

/** A script's end: waits until TERM, and ends at once then. As a container's first process a bare `sleep` wouldn't. */
export const untilTerm = "trap 'exit 0' TERM; sleep 2147483647 & wait $!";

/** A container that runs `script` with busybox's shell; without one it runs until TERM. */
export function container(
  name: string,
  script: string = untilTerm,
  more: Partial<Container> = {},
): Container {
  return {
    name,
    image: busyboxName,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', script],
    ...more,
  };
}

/** JSON, which is YAML too. The grace period is short, so that a test that fails to end a pod ends itself. */
export function podManifest(
  name: string,
  containers: Container[],
  spec: Partial<PodSpec> = {},
  metadata: ObjectMeta = {},
): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { terminationGracePeriodSeconds: 5, containers, ...spec },
  });
}

/** The status of a container by name, or of the first; init containers too. */
export function statusOf(view: Shown, name?: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = view.pod.status ?? {};
  if (name === undefined) return containerStatuses[0];
  return [...initContainerStatuses, ...containerStatuses].find((status) => status.name === name);
}

export const isRunning = (view: Shown): boolean =>
  view.pod.status?.phase === 'Running' &&
  (view.pod.status.containerStatuses ?? []).every((status) => status.state?.running !== undefined);

export const hasPhase =
  (phase: string) =>
  (view: Shown): boolean =>
    view.pod.status?.phase === phase;

/** What makes one life of a pod: its containers' IDs and restart counts, and its sandbox's address. */
export const identity = (view: Shown): unknown => ({
  uid: view.pod.metadata?.uid,
  ip: view.pod.status?.podIP,
  containers: [
    ...(view.pod.status?.initContainerStatuses ?? []),
    ...(view.pod.status?.containerStatuses ?? []),
  ].map(({ name, containerID, restartCount }) => [name, containerID, restartCount]),
});

/**
 * Whether a pod with restartPolicy Never has had its one run. Where the agent was killed in the middle of
 * StartContainer, containerd may call that a failed start; nobody then knows whether it ran, so it must not run again.
 */
export const hadItsRun = (view: Shown): boolean =>
  view.pod.status?.phase === 'Succeeded' ||
  (view.pod.status?.phase === 'Failed' && statusOf(view)?.state?.terminated?.reason === 'StartError');

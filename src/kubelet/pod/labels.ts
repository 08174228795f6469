/** The labels and annotations by which kubelet finds its sandboxes and containers again. */
import type { Container as RuntimeContainer, PodSandbox, StringMap } from '#cri/types.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { containerHash } from './container-hash.ts';

export const POD_NAME_LABEL = 'io.kubernetes.pod.name';
export const POD_NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';
export const POD_UID_LABEL = 'io.kubernetes.pod.uid';
export const CONTAINER_NAME_LABEL = 'io.kubernetes.container.name';

export const HASH_ANNOTATION = 'io.kubernetes.container.hash';
export const RESTART_COUNT_ANNOTATION = 'io.kubernetes.container.restartCount';
const MESSAGE_PATH_ANNOTATION = 'io.kubernetes.container.terminationMessagePath';
const MESSAGE_POLICY_ANNOTATION = 'io.kubernetes.container.terminationMessagePolicy';
const PRE_STOP_ANNOTATION = 'io.kubernetes.container.preStopHandler';
const PORTS_ANNOTATION = 'io.kubernetes.container.ports';
const DELETION_GRACE_ANNOTATION = 'io.kubernetes.pod.deletionGracePeriod';
const TERMINATION_GRACE_ANNOTATION = 'io.kubernetes.pod.terminationGracePeriod';

function podIdentityLabels(pod: AgentPod): StringMap {
  return {
    [POD_NAME_LABEL]: pod.metadata.name,
    [POD_NAMESPACE_LABEL]: pod.metadata.namespace,
    [POD_UID_LABEL]: pod.metadata.uid,
  };
}

export const sandboxLabels = (pod: AgentPod): StringMap => ({
  ...pod.metadata.labels,
  ...podIdentityLabels(pod),
});

export const sandboxAnnotations = (pod: AgentPod): StringMap => ({ ...pod.metadata.annotations });

export const containerLabels = (pod: AgentPod, container: Container): StringMap => ({
  ...podIdentityLabels(pod),
  [CONTAINER_NAME_LABEL]: container.name,
});

export function containerAnnotations(pod: AgentPod, container: Container, attempt: number): StringMap {
  const annotations: StringMap = {
    [HASH_ANNOTATION]: containerHash(container),
    [RESTART_COUNT_ANNOTATION]: String(attempt),
    [MESSAGE_PATH_ANNOTATION]: container.terminationMessagePath ?? '',
    [MESSAGE_POLICY_ANNOTATION]: container.terminationMessagePolicy ?? '',
  };
  const deletionGrace = pod.metadata.deletionGracePeriodSeconds;
  if (deletionGrace !== undefined) annotations[DELETION_GRACE_ANNOTATION] = String(deletionGrace);
  const grace = pod.spec.terminationGracePeriodSeconds;
  if (grace !== undefined) annotations[TERMINATION_GRACE_ANNOTATION] = String(grace);
  if (container.lifecycle?.preStop)
    annotations[PRE_STOP_ANNOTATION] = JSON.stringify(container.lifecycle.preStop);
  if (container.ports?.length) annotations[PORTS_ANNOTATION] = JSON.stringify(container.ports);
  return annotations;
}

type Lifecycle = NonNullable<Container['lifecycle']>;

/** What the annotations tell of a container whose pod nobody describes any more: what its end needs. */
export function containerFromAnnotations(name: string, annotations: StringMap): Container {
  const preStop = parsed(annotations[PRE_STOP_ANNOTATION]) as Lifecycle['preStop'];
  const ports = parsed(annotations[PORTS_ANNOTATION]);
  return {
    name,
    ...(typeof preStop === 'object' && preStop !== null ? { lifecycle: { preStop } } : {}),
    ...(Array.isArray(ports) ? { ports: ports as NonNullable<Container['ports']> } : {}),
  };
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The pod that a sandbox or container of the runtime belongs to; undefined where it isn't a pod's. */
export function podUidOf(object: Pick<RuntimeContainer | PodSandbox, 'labels'>): string | undefined {
  return object.labels[POD_UID_LABEL];
}

/** The attempt as kubelet counts it: its own annotation first, then CRI's metadata. */
export function attemptOf(container: Pick<RuntimeContainer, 'annotations' | 'metadata'>): number {
  const text = container.annotations[RESTART_COUNT_ANNOTATION];
  const number = Number(text);
  return text !== undefined && Number.isSafeInteger(number) && number >= 0
    ? number
    : container.metadata.attempt;
}

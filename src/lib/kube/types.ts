/**
 * The Kubernetes API's objects as JSON carries them: the field types of `@kubernetes/client-node`, with times as
 * RFC 3339 strings (that package turns them into Date objects when it decodes; this program keeps the text).
 */
import type * as k8s from '@kubernetes/client-node';

/** `T` with every Date replaced by its text, at any depth, and everything readonly left as it is. */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T;

export type Pod = Wire<k8s.V1Pod>;
export type PodSpec = Wire<k8s.V1PodSpec>;
export type PodStatus = Wire<k8s.V1PodStatus>;
export type PodCondition = Wire<k8s.V1PodCondition>;
export type Container = Wire<k8s.V1Container>;
export type ContainerStatus = Wire<k8s.V1ContainerStatus>;
export type ContainerState = Wire<k8s.V1ContainerState>;
export type ContainerStateTerminated = Wire<k8s.V1ContainerStateTerminated>;
export type ContainerStateWaiting = Wire<k8s.V1ContainerStateWaiting>;
export type ResourceRequirements = Wire<k8s.V1ResourceRequirements>;
export type EnvVar = Wire<k8s.V1EnvVar>;
export type ObjectMeta = Wire<k8s.V1ObjectMeta>;
export type SecurityContext = Wire<k8s.V1SecurityContext>;
export type PodSecurityContext = Wire<k8s.V1PodSecurityContext>;
export type Volume = Wire<k8s.V1Volume>;
export type VolumeMount = Wire<k8s.V1VolumeMount>;
export type PersistentVolume = Wire<k8s.V1PersistentVolume>;
export type PersistentVolumeClaim = Wire<k8s.V1PersistentVolumeClaim>;
export type CsiDriver = Wire<k8s.V1CSIDriver>;
export type VolumeAttachment = Wire<k8s.V1VolumeAttachment>;
export type Event = Wire<k8s.CoreV1Event>;
export type Node = Wire<k8s.V1Node>;
export type ConfigMap = Wire<k8s.V1ConfigMap>;
/** Values of `data` are base64. */
export type Secret = Wire<k8s.V1Secret>;
export type Service = Wire<k8s.V1Service>;
export type RuntimeClass = Wire<k8s.V1RuntimeClass>;
export type TokenRequest = Wire<k8s.AuthenticationV1TokenRequest>;

/**
 * A pod as the agent works with it: named, placed in a namespace, with a UID, and with the API server's
 * defaults filled in.
 */
export interface AgentPod extends Pod {
  metadata: ObjectMeta & { name: string; namespace: string; uid: string };
  spec: PodSpec;
}

/** Where a pod came from, as in the annotation `kubernetes.io/config.source`. */
export type PodSourceName = 'api' | 'file' | 'http';

/** `NAMESPACE/NAME`: what people call a pod. Never a key: two pods of one name take turns. */
export function fullName(pod: AgentPod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}

/** Objects of controllers whose pods are small, and what tests read of their pods. */
import { container } from '#test/bed/manifests.ts';
import type { Container, ObjectMeta, Pod, PodSpec } from '#lib/kube/types.ts';
import type { ApiObject } from '#lib/kube/client.ts';
import type { ControlPlane } from '#test/control-plane/control-plane.ts';
import { testResources } from '#test/control-plane/resources.ts';

export interface Controller extends ApiObject {
  spec: Record<string, unknown>;
  status?: {
    conditions?: { type: string; status: string; reason?: string }[];
    availableReplicas?: number;
    succeeded?: number;
    failed?: number;
    numberReady?: number;
  };
}

export interface Template {
  metadata: ObjectMeta;
  spec: PodSpec;
}

/** A pod template with the label `app: NAME`. */
export function template(name: string, containers: Container[], spec: Partial<PodSpec> = {}): Template {
  return {
    metadata: { labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 5, containers, ...spec },
  };
}

/** Of group apps: a Deployment, StatefulSet or DaemonSet. */
export function appOf(kind: string, name: string, pod: Template, spec: object = {}): Controller {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: { app: name } }, template: pod, ...spec },
  };
}

/** A Job's specification whose one container runs `script` and is not restarted. */
export const jobSpec = (script: string, spec: object = {}): Record<string, unknown> => ({
  template: { spec: { restartPolicy: 'Never', containers: [container('main', script)] } },
  ...spec,
});

export const job = (name: string, spec: Record<string, unknown>): Controller => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace: 'default' },
  spec,
});

export const hasCondition = (object: Controller | Pod | undefined, type: string): boolean =>
  (object?.status?.conditions ?? []).some((each) => each.type === type && each.status === 'True');

export const isReadyPod = (pod: Pod): boolean =>
  hasCondition(pod, 'Ready') && pod.metadata?.deletionTimestamp === undefined;

export async function podsOf(plane: ControlPlane, labelSelector: string): Promise<Pod[]> {
  const { items } = await plane.client.list<Pod>(testResources.pods, { namespace: 'default', labelSelector });
  return items;
}

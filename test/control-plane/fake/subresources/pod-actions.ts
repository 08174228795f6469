/** `binding`, `eviction` of pods: what they do to the pod (pkg/registry/core/pod/storage of 1.36). */
import { testResources } from '../../resources.ts';
import { timeText, textOf } from '../object.ts';
import type { Json, JsonMap, KubeObject } from '../object.ts';
import type { Registry } from '../registry.ts';
import { badRequest, conflict } from '../status-error.ts';

const { pods } = testResources;

function withCondition(pod: KubeObject, condition: JsonMap, now: number): KubeObject {
  const conditions = (pod.status?.['conditions'] ?? []) as JsonMap[];
  const others = conditions.filter(({ type }) => type !== condition['type']);
  const added: Json[] = [...others, { ...condition, lastTransitionTime: timeText(now) }];
  return { ...pod, status: { ...pod.status, conditions: added } };
}

/** Assigns a pod to a node. */
export function bindPod(registry: Registry, pod: KubeObject, body: KubeObject, now: number): void {
  const target = body['target'] as { kind?: string; name?: string } | undefined;
  const { name } = pod.metadata;
  if (!target?.name || (target.kind ?? 'Node') !== 'Node') throw badRequest('target.name: Required value');
  const { uid } = body.metadata;
  if (uid !== undefined && uid !== pod.metadata.uid)
    throw conflict(pods, name, `the pod's UID is not ${uid}`);
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(pods, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const assigned = pod.spec?.['nodeName'];
  if (assigned) throw conflict(pods, name, `pod ${name} is already assigned to node "${textOf(assigned)}"`);
  const bound = withCondition(
    { ...pod, spec: { ...pod.spec, nodeName: target.name } },
    { type: 'PodScheduled', status: 'True', lastProbeTime: null },
    now,
  );
  registry.store.put(pods, bound);
}

/** Deletes a pod as an eviction does; there are no disruption budgets. */
export function evictPod(registry: Registry, pod: KubeObject, body: KubeObject, now: number): void {
  const { namespace, name } = pod.metadata;
  if (body.metadata.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  const marked = withCondition(
    pod,
    {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    },
    now,
  );
  registry.store.put(pods, marked);
  registry.delete(pods, namespace, name, body['deleteOptions'] ?? {});
}

/** What a write may change of a pod: pkg/registry/core/pod/strategy.go and ValidatePodUpdate of 1.36, in short. */
import { canonicalJson } from '#lib/kube/canonical.ts';
import { isMap } from './object.ts';
import type { Json, JsonMap, KubeObject } from './object.ts';
import { invalid } from './status-error.ts';

const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

/** A spec without what an update may change. */
function fixedPart(spec: JsonMap, subresource: string | undefined): JsonMap {
  const containers = (items: Json | undefined): Json[] =>
    list(items).map((item) => {
      if (!isMap(item)) return item;
      const { image: _image, resources: _resources, ...rest } = item;
      return subresource === 'resize' ? { ...rest, image: item['image'] ?? null } : rest;
    });
  const {
    tolerations: _tolerations,
    activeDeadlineSeconds: _deadline,
    terminationGracePeriodSeconds: _grace,
    schedulingGates: _gates,
    ephemeralContainers: _ephemeral,
    ...rest
  } = spec;
  if (subresource === 'resize') delete rest['resources'];
  return {
    ...rest,
    containers: containers(spec['containers']),
    initContainers: containers(spec['initContainers']),
  };
}

const resourcesOf = (spec: JsonMap): unknown =>
  [...list(spec['containers']), ...list(spec['initContainers'])].map((item) =>
    isMap(item) ? item['resources'] : undefined,
  );

/** Throws 422 where an update touches what never changes, or resources other than through `resize`. */
export function checkPodUpdate(next: KubeObject, old: KubeObject, subresource: string | undefined): void {
  const [a, b] = [next.spec ?? {}, old.spec ?? {}];
  const grows = subresource === 'ephemeralcontainers';
  if (!grows && canonicalJson(a['ephemeralContainers']) !== canonicalJson(b['ephemeralContainers'])) {
    throw invalid('Pod', next.metadata.name, 'spec.ephemeralContainers: only through their subresource');
  }
  const resourcesStay = canonicalJson(resourcesOf(a)) === canonicalJson(resourcesOf(b));
  const fixed = canonicalJson(fixedPart(a, subresource)) === canonicalJson(fixedPart(b, subresource));
  if (fixed && (resourcesStay || subresource === 'resize')) return;
  const why =
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
  throw invalid('Pod', next.metadata.name, why);
}

/** What a write of the status never takes away. */
export function keepStatusOfPod(next: KubeObject, old: KubeObject): KubeObject {
  const status: JsonMap = { ...next.status };
  for (const field of ['qosClass', 'observedGeneration']) {
    const before = old.status?.[field];
    if (!status[field] && before !== undefined) status[field] = before;
  }
  const metadata = { ...next.metadata };
  delete metadata.ownerReferences;
  if (old.metadata.ownerReferences !== undefined) metadata.ownerReferences = old.metadata.ownerReferences;
  return { ...next, metadata, status };
}

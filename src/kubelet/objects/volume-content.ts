import { canonicalJson } from '#lib/kube/canonical.ts';
import type { AgentPod, Volume } from '#lib/kube/types.ts';

type Item = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

/**
 * Stands for what a pod's volumes show of the pod itself: it changes when they have to be renewed. Undefined for a pod
 * none of whose volumes can change while it runs.
 */
export function shownContent(pod: AgentPod): string | undefined {
  const volumes = (pod.spec.volumes ?? []).filter(
    ({ configMap, secret, downwardAPI, projected, persistentVolumeClaim, ephemeral, csi }) =>
      configMap ?? secret ?? downwardAPI ?? projected ?? persistentVolumeClaim ?? ephemeral ?? csi,
  );
  if (volumes.length === 0) return undefined;
  const items = volumes.flatMap(itemsOf);
  const { labels, annotations } = pod.metadata;
  const shows = (map: string): boolean =>
    items.some(({ fieldRef }) => fieldRef?.fieldPath.startsWith(`metadata.${map}`) === true);
  const resources = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
    (each) => each.resources,
  );
  return canonicalJson([
    shows('labels') ? labels : undefined,
    shows('annotations') ? annotations : undefined,
    items.some(({ resourceFieldRef }) => resourceFieldRef !== undefined) ? resources : undefined,
  ]);
}

const itemsOf = ({ downwardAPI, projected }: Volume): Item[] => [
  ...(downwardAPI?.items ?? []),
  ...(projected?.sources ?? []).flatMap((source) => source.downwardAPI?.items ?? []),
];

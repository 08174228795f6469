import { canonicalJson } from '#lib/kube/canonical.ts';
import type { AgentPod } from '#lib/kube/types.ts';

type Described = { metadata: Omit<AgentPod['metadata'], 'uid'>; spec: AgentPod['spec'] };

/** Annotations that say how a pod came to the node, not what it is. */
const isOrigin = (key: string): boolean => key.startsWith('kubernetes.io/config.');

function essence({ metadata, spec }: Described): string {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => !isOrigin(key));
  return canonicalJson({ spec, labels: metadata.labels ?? {}, annotations: Object.fromEntries(annotations) });
}

/** Whether two descriptions, of one name, mean the same pod: whatever a container could notice is equal. */
export const isSamePod = (a: Described, b: Described): boolean => a === b || essence(a) === essence(b);

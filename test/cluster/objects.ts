/** Objects of contract tests. */
import type { Pod, PodSpec } from '#lib/kube/types.ts';

let pods = 0;

/** A pod that nobody runs, with a name of its own. */
export function barePod(spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod {
  pods += 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${pods}`, ...metadata },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'nodelet.local/busybox:1' }],
      ...spec,
    },
  };
}

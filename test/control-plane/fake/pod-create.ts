import { withPodDefaults } from '#lib/kube/defaults.ts';
import { computeQosClass } from '#lib/kube/qos.ts';
import type { Pod, PodSpec } from '#lib/kube/types.ts';
import type { KubeObject } from './object.ts';

export interface PodCreateOptions {
  /** Whether pods get the token volume of the ServiceAccount admission. */
  injectServiceAccountToken: boolean;
  /** Five characters that make a volume's name unique. */
  suffix: string;
}

const tokenFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

const priorities: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

function injectToken(spec: PodSpec, suffix: string): void {
  const name = `kube-api-access-${suffix}`;
  spec.volumes = [
    ...(spec.volumes ?? []),
    {
      name,
      projected: {
        defaultMode: 0o644,
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    },
  ];
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const mounts = container.volumeMounts ?? [];
    if (mounts.some(({ mountPath }) => mountPath === tokenFolder)) continue;
    container.volumeMounts = [...mounts, { name, mountPath: tokenFolder, readOnly: true }];
  }
}

const evictedAfter = (key: string): NonNullable<PodSpec['tolerations']>[number] => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
});

/**
 * What the API server makes of a pod on create: defaults, and what the admissions ServiceAccount, Priority and
 * DefaultTolerationSeconds add. Mirror pods get no service account.
 */
export function preparePod(given: KubeObject, options: PodCreateOptions): KubeObject {
  const pod = withPodDefaults(given as unknown as Pod) as Pod & { spec: PodSpec };
  const spec = pod.spec;
  const isMirror = pod.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined;
  if (!isMirror) {
    spec.serviceAccountName ||= 'default';
    if (options.injectServiceAccountToken && spec.automountServiceAccountToken !== false) {
      injectToken(spec, options.suffix);
    }
  }
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  spec.priority ??= priorities[spec.priorityClassName ?? ''] ?? 0;
  spec.preemptionPolicy ??= 'PreemptLowerPriority';
  const tolerations = spec.tolerations ?? [];
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    if (
      !tolerations.some((each) => (each.key ?? key) === key && (each.effect ?? 'NoExecute') === 'NoExecute')
    )
      tolerations.push(evictedAfter(key));
  }
  spec.tolerations = tolerations;
  pod.status = { phase: 'Pending', qosClass: computeQosClass(spec) };
  return pod as unknown as KubeObject;
}

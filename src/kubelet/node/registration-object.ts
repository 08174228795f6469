/** What a node's object is made of at registration, and what is put right in one that exists. */
import type { Node } from '#lib/kube/types.ts';
import type { NodeFacts } from './node-status.ts';
import { updatedNode } from './node-status.ts';
import type { NodeSettings, Taint } from './settings.ts';

const ATTACH_DETACH = 'volumes.kubernetes.io/controller-managed-attach-detach';

/** Re-applied to an existing object where the agent has a value for them. */
const DEFAULT_LABELS = [
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
];

const UNINITIALIZED: Taint = {
  key: 'node.cloudprovider.kubernetes.io/uninitialized',
  value: 'true',
  effect: 'NoSchedule',
};

/** The Node object of a node that the cluster doesn't know yet. */
export function initialNode(facts: NodeFacts, settings: NodeSettings, now: number): Node {
  const { architecture } = facts.machine;
  const taints = [
    ...settings.registerWithTaints,
    ...(settings.cloudProvider === 'external' ? [UNINITIALIZED] : []),
  ];
  const bare: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: settings.nodeName,
      labels: {
        'kubernetes.io/hostname': settings.hostname,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': architecture,
        'beta.kubernetes.io/os': 'linux',
        'beta.kubernetes.io/arch': architecture,
      },
      annotations: settings.enableControllerAttachDetach ? { [ATTACH_DETACH]: 'true' } : {},
    },
    spec: {
      ...(taints.length === 0 ? {} : { taints }),
      ...(settings.providerId === '' ? {} : { providerID: settings.providerId }),
    },
  };
  const node = updatedNode(bare, facts, settings, now);
  return {
    ...node,
    metadata: { ...node.metadata, labels: { ...node.metadata?.labels, ...settings.nodeLabels } },
  };
}

/** An existing object with the default labels, the attach-detach annotation and the resources of `initial`. */
export function reconciledNode(existing: Node, initial: Node): Node {
  const labels = { ...existing.metadata?.labels };
  for (const label of DEFAULT_LABELS) {
    const value = initial.metadata?.labels?.[label];
    if (value === undefined) continue;
    if (value === '') delete labels[label];
    else labels[label] = value;
  }
  const annotations = { ...existing.metadata?.annotations };
  const managed = initial.metadata?.annotations?.[ATTACH_DETACH];
  if (managed === undefined) delete annotations[ATTACH_DETACH];
  else annotations[ATTACH_DETACH] = managed;
  return { ...existing, metadata: { ...existing.metadata, labels, annotations } };
}

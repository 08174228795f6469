import type { FlagSpec } from './flag.ts';
import { helpFlag, loggingFlags, ownFlags, sharedFlags } from './shared.ts';
import { flagTable } from './table.ts';

const standaloneOnly = flagTable('works', [
  ['manifests', 'string', '/etc/nodelet/manifests', 'Directory of manifests: *.yaml, *.yml, *.json.'],
  [
    'container-runtime-endpoint',
    'string',
    '',
    'Socket of a container runtime; without it, nodelet runs a containerd of its own.',
  ],
  ['root-dir', 'string', '/var/lib/nodelet/kubelet', 'Where pods’ volumes and the agent’s records are.'],
  ['state-dir', 'string', '/run/nodelet', 'What needn’t outlive a reboot: sockets, process IDs.'],
  [
    'runtime-root',
    'string',
    '/var/lib/nodelet/containerd',
    'The private containerd’s images and containers.',
  ],
  ['applied-dir', 'string', '/var/lib/nodelet/applied', 'Where nodelet apply keeps its manifests.'],
  [
    'sandbox-image',
    'string',
    'registry.k8s.io/pause:3.10.1',
    'Image of the container that holds a pod’s network.',
  ],
  [
    'pod-cidr',
    'cidr',
    '',
    'Range of pods’ addresses on the private bridge; without it, a free one: 10.87.0.0/16 or another.',
  ],
  ['cleanup', 'bool', 'false', 'Ends all pods and the private containerd, removes everything, and exits.'],
]);

export const standaloneFlags: readonly FlagSpec[] = [
  ...helpFlag,
  ...standaloneOnly,
  // Several URLs may be given here; kubelet takes one.
  ...sharedFlags.map((spec) => (spec.name === 'manifest-url' ? { ...spec, type: 'strings' as const } : spec)),
  ...ownFlags,
  ...loggingFlags,
];

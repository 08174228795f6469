import type { FlagSpec } from './flag.ts';
import { ignoredGlobalFlags } from './kubelet-ignored-global.ts';
import { ignoredKubeletFlags } from './kubelet-ignored.ts';
import { removedKubeletFlags } from './kubelet-removed.ts';
import { helpFlag, loggingFlags, ownFlags, sharedFlags } from './shared.ts';
import { flagTable } from './table.ts';

const kubeletOnly = flagTable('works', [
  ['root-dir', 'string', '/var/lib/kubelet', 'Where pods’ volumes and the agent’s records are.'],
  [
    'container-runtime-endpoint',
    'string',
    'unix:///run/containerd/containerd.sock',
    'Socket of the container runtime.',
  ],
  ['pod-manifest-path', 'string', '', 'Directory of pod manifests, or one manifest.'],
  [
    'version',
    'string',
    'false',
    'Prints the version and ends: --version, --version=raw.',
    { oneOf: ['true', 'false', 'raw'] },
  ],
]);

const refused = flagTable('refused', [
  ['bootstrap-kubeconfig', 'string', '', 'Credentials to request a client certificate with.'],
  ['config', 'string', '', 'A KubeletConfiguration file.'],
  ['kubeconfig', 'string', '', 'How to reach the API server; without it the agent runs alone.'],
  ['runonce', 'bool', 'false', 'Upstream refuses it as well.'],
]);

/** Every flag of kubelet 1.36, the removed ones that old set-ups carry, and nodelet's own. */
export const kubeletFlags: readonly FlagSpec[] = [
  ...helpFlag,
  ...sharedFlags,
  ...kubeletOnly,
  ...ownFlags,
  ...loggingFlags,
  ...refused,
  ...ignoredKubeletFlags,
  ...ignoredGlobalFlags,
  ...removedKubeletFlags,
];

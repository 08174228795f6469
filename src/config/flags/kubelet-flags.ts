import type { FlagSpec } from './flag.ts';
import { ignoredGlobalFlags } from './kubelet-ignored-global.ts';
import { ignoredKubeletFlags } from './kubelet-ignored.ts';
import { removedKubeletFlags } from './kubelet-removed.ts';
import {
  configurationFlags,
  helpFlag,
  ignoredLoggingFlags,
  loggingFlags,
  nodeFlags,
  ownFlags,
} from './shared.ts';
import { flagTable } from './table.ts';

const kubeletOnly = flagTable('works', [
  ['config', 'string', '', 'A KubeletConfiguration file (docs/configuration.md); flags win over it.'],
  [
    'config-dir',
    'string',
    '',
    'Folder of files (*.conf) that are merged over it, in the order of their names.',
  ],
  ['kubeconfig', 'string', '', 'How to reach the API server; without it the agent runs alone.'],
  [
    'bootstrap-kubeconfig',
    'string',
    '',
    'Credentials to request a client certificate with, where --kubeconfig has none that holds.',
  ],
  ['cert-dir', 'string', '/var/lib/kubelet/pki', 'Where certificates are kept.'],
  ['root-dir', 'string', '/var/lib/kubelet', 'Where pods’ volumes and the agent’s records are.'],
  ['node-labels', 'map', '', 'Labels of the node at its first registration.'],
  [
    'cloud-provider',
    'string',
    '',
    'external: a cloud controller initialises the node.',
    { oneOf: ['', 'external'] },
  ],
  [
    'image-credential-provider-config',
    'string',
    '',
    'Configuration of credential provider plugins: a file, or a folder of files.',
  ],
  ['image-credential-provider-bin-dir', 'string', '', 'Directory of credential provider plugins.'],
  [
    'experimental-allocatable-ignore-eviction',
    'bool',
    'false',
    'Leave eviction thresholds out of allocatable.',
  ],
  [
    'offline-start-after',
    'duration',
    '0s',
    'Start the last known pods where the API server does not answer for this long after a start, but those that name ConfigMaps, Secrets or tokens; 0: never.',
    { min: 0 },
  ],
  [
    'offline-start-stateful',
    'bool',
    'false',
    'Then also pods of StatefulSets and pods with claims or CSI volumes, which another node may run by now.',
  ],
  [
    'version',
    'string',
    'false',
    'Prints the version and ends: --version, --version=raw.',
    { oneOf: ['true', 'false', 'raw'] },
  ],
]);

/** Every flag of kubelet 1.36, the removed ones that old set-ups carry, and nodelet's own. */
export const kubeletFlags: readonly FlagSpec[] = [
  ...helpFlag,
  ...kubeletOnly,
  ...nodeFlags,
  ...configurationFlags,
  ...ownFlags,
  ...loggingFlags,
  ...ignoredKubeletFlags,
  ...ignoredLoggingFlags,
  ...ignoredGlobalFlags,
  ...removedKubeletFlags,
];

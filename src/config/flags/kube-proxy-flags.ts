import { kubeProxyFields } from '../kube-proxy-configuration/fields.ts';
import type { FlagSpec } from './flag.ts';
import { flagsOfFields } from './from-fields.ts';
import { removedFlags } from './kubelet-removed.ts';
import { helpFlag, ignoredLoggingFlags, loggingFlags } from './shared.ts';
import { flagTable } from './table.ts';

const own = flagTable('works', [
  [
    'config',
    'string',
    '',
    'A KubeProxyConfiguration file (docs/configuration.md); with it, flags that are its fields have no effect, ' +
      'but for --hostname-override and those of logging.',
  ],
  ['write-config-to', 'string', '', 'Writes the configuration to this file and ends.'],
  ['cleanup', 'bool', 'false', 'Removes the proxy’s rules and ends.'],
  ['init-only', 'bool', 'false', 'Does what needs full privileges and ends.'],
  ['master', 'string', '', 'Address of the API server, over that of the kubeconfig.'],
  [
    'healthz-port',
    'int',
    '10256',
    'Port of healthz where no address names one; 0: none.',
    { min: 0, max: 65_535 },
  ],
  [
    'metrics-port',
    'int',
    '10249',
    'Port of metrics where no address names one; 0: none.',
    { min: 0, max: 65_535 },
  ],
  [
    'version',
    'string',
    'false',
    'Prints the version and ends: --version, --version=raw.',
    { oneOf: ['true', 'false', 'raw'] },
  ],
]);

/** Flags that earlier kube-proxies had. */
const removed: readonly FlagSpec[] = [
  ...removedFlags(
    'kube-proxy',
    'bool',
    `add-dir-header alsologtostderr cleanup-iptables cleanup-ipvs containerized logtostderr one-output
     skip-headers skip-log-headers`,
  ),
  ...removedFlags(
    'kube-proxy',
    'strings',
    `boot-id-file conntrack-max google-json-key log-backtrace-at log-dir log-file log-file-max-size
     machine-id-file proxy-port-range resource-container stderrthreshold udp-timeout`,
  ),
];

/** Flags of KubeProxyConfiguration's fields. */
export const proxyConfigurationFlags = flagsOfFields(kubeProxyFields);

/** Every flag of kube-proxy 1.36, and the removed ones that old set-ups carry. */
export const kubeProxyFlags: readonly FlagSpec[] = [
  ...helpFlag,
  ...own,
  ...proxyConfigurationFlags,
  ...loggingFlags,
  ...ignoredLoggingFlags,
  ...removed,
];

import { kubeletFields } from '../kubelet-configuration/fields.ts';
import type { FlagSpec } from './flag.ts';
import { flagsOfFields } from './from-fields.ts';
import { flagTable } from './table.ts';

/** Flags of KubeletConfiguration's fields. */
export const configurationFlags = flagsOfFields(kubeletFields);

/** The node's name and addresses, and dead containers: kubelet has no fields for them. */
export const nodeFlags = flagTable('works', [
  ['hostname-override', 'string', '', 'The name of the node; without it, the host name in lower case.'],
  [
    'node-ip',
    'list',
    '',
    'Address of the node, or one of each family; without it, the default route’s address.',
  ],
  ['maximum-dead-containers-per-container', 'int', '1', 'Dead instances kept of each container.'],
  ['maximum-dead-containers', 'int', '-1', 'Dead instances kept on the node; below 0: no limit.'],
  ['minimum-container-ttl-duration', 'duration', '0s', 'Least age of a dead container before it is removed.'],
]);

const inStandalone = new Set([
  'image-service-endpoint',
  'manifest-url',
  'manifest-url-header',
  'file-check-frequency',
  'http-check-frequency',
  'cgroup-driver',
  'cgroup-root',
  'cpu-cfs-quota',
  'cpu-cfs-quota-period',
  'resolv-conf',
  'cluster-dns',
  'cluster-domain',
  'max-pods',
  'serialize-image-pulls',
  'container-log-max-size',
  'container-log-max-files',
  'runtime-request-timeout',
]);

/** Flags that act alike in the kubelet role and in standalone mode; names and defaults are kubelet's. */
export const sharedFlags: readonly FlagSpec[] = [
  ...nodeFlags,
  ...configurationFlags.filter(({ name }) => inStandalone.has(name)),
];

/** nodelet’s own: kubelet has none of them. */
export const ownFlags = flagTable('works', [
  ['socket', 'string', '/run/nodelet/nodelet.sock', 'Local socket for nodelet’s own commands.'],
  ['pod-logs-dir', 'string', '/var/log/pods', 'Where containers’ logs are; the file’s podLogsDir.'],
  ['container-logs-dir', 'string', '/var/log/containers', 'Where log collectors find links to them.'],
]);

/** Of kubelet and kube-proxy alike. */
export const loggingFlags = flagTable('works', [
  [
    'v',
    'int',
    '0',
    'How much is logged: 0 what matters, 2 more, 4 debugging, 6 everything.',
    { short: 'v', min: 0, max: 10 },
  ],
  [
    'logging-format',
    'string',
    'text',
    'text: lines for people on a terminal, JSON elsewhere; json: always JSON.',
    { oneOf: ['text', 'json'] },
  ],
]);

/** Of kubelet and kube-proxy alike; nothing here corresponds to them. */
export const ignoredLoggingFlags = flagTable('ignored', [
  ['log-flush-frequency', 'duration', '5s', 'How often logs are flushed.'],
  ['log-json-info-buffer-size', 'quantity', '0', 'Buffer of JSON logs.'],
  ['log-json-split-stream', 'bool', 'false', 'Errors to stderr, the rest to stdout.'],
  ['log-text-info-buffer-size', 'quantity', '0', 'Buffer of text logs.'],
  ['log-text-split-stream', 'bool', 'false', 'Errors to stderr, the rest to stdout.'],
  ['vmodule', 'list', '', 'Verbosity by source file.'],
]);

export const helpFlag = flagTable('works', [['help', 'bool', 'false', 'Prints this text.', { short: 'h' }]]);

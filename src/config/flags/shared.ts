import { flagTable } from './table.ts';

const nonNegative = { min: 0 };

/** Flags that act alike in the kubelet role and in standalone mode; names and defaults are kubelet's. */
export const sharedFlags = flagTable('works', [
  ['hostname-override', 'string', '', 'The name of the node; without it, the host name in lower case.'],
  [
    'node-ip',
    'list',
    '',
    'Address of the node, or one of each family; without it, the default route’s address.',
  ],
  ['image-service-endpoint', 'string', '', 'Socket of the image service, if it isn’t the runtime’s own.'],
  ['manifest-url', 'string', '', 'URL that is polled for a pod or a list of pods.'],
  ['manifest-url-header', 'headers', '', 'Header sent to --manifest-url: name:value. Repeatable.'],
  [
    'file-check-frequency',
    'duration',
    '20s',
    'How often manifests are re-read even without an event.',
    { min: 1 },
  ],
  ['http-check-frequency', 'duration', '20s', 'How often --manifest-url is asked.', { min: 1 }],
  [
    'cgroup-driver',
    'string',
    '',
    'Who makes cgroups; without it, what the runtime says, or cgroupfs.',
    { oneOf: ['cgroupfs', 'systemd', ''] },
  ],
  [
    'cgroup-root',
    'string',
    '',
    'Cgroup that holds all pods’ cgroups; without it, the root of the hierarchy.',
  ],
  ['cpu-cfs-quota', 'bool', 'true', 'Enforce CPU limits by quota.'],
  ['cpu-cfs-quota-period', 'duration', '100ms', 'Period of the CPU quota, 1ms to 1s.', { min: 1, max: 1000 }],
  [
    'resolv-conf',
    'string',
    '/etc/resolv.conf',
    'The file that pods’ DNS configuration starts from; empty: none.',
  ],
  ['cluster-dns', 'list', '', 'Addresses of the DNS servers for pods with dnsPolicy ClusterFirst.'],
  ['cluster-domain', 'string', '', 'Domain that such pods search besides the host’s.'],
  ['max-pods', 'int', '110', 'Pods that the node says it can hold; not enforced yet.', nonNegative],
  ['serialize-image-pulls', 'bool', 'false', 'Pull one image at a time (kubelet’s default is true).'],
  ['container-log-max-size', 'quantity', '10Mi', 'Size at which a container’s log is rotated.', { min: 1 }],
  ['container-log-max-files', 'int', '5', 'Log files kept for a container.', { min: 2 }],
  ['maximum-dead-containers-per-container', 'int', '1', 'Dead instances kept of each container.'],
  ['maximum-dead-containers', 'int', '-1', 'Dead instances kept on the node; below 0: no limit.'],
  ['minimum-container-ttl-duration', 'duration', '0s', 'Least age of a dead container before it is removed.'],
  [
    'runtime-request-timeout',
    'duration',
    '2m',
    'Deadline of a call to the runtime, but for pulls.',
    { min: 1 },
  ],
]);

/** nodelet’s own: kubelet has none of them. */
export const ownFlags = flagTable('works', [
  ['socket', 'string', '/run/nodelet/nodelet.sock', 'Local socket for nodelet’s own commands.'],
  ['pod-logs-dir', 'string', '/var/log/pods', 'Where containers’ logs are.'],
  ['container-logs-dir', 'string', '/var/log/containers', 'Where log collectors find links to them.'],
]);

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

export const helpFlag = flagTable('works', [['help', 'bool', 'false', 'Prints this text.', { short: 'h' }]]);

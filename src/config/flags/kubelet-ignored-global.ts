import { flagTable } from './table.ts';

/** Flags that kubelet 1.36 has from cAdvisor; none has a counterpart here. */
export const ignoredGlobalFlags = flagTable('ignored', [
  ['application-metrics-count-limit', 'int', '100', 'cAdvisor.'],
  ['boot-id-file', 'string', '/proc/sys/kernel/random/boot_id', 'cAdvisor.'],
  ['container-hints', 'string', '/etc/cadvisor/container_hints.json', 'cAdvisor.'],
  ['containerd', 'string', '/run/containerd/containerd.sock', 'cAdvisor.'],
  ['containerd-namespace', 'string', 'k8s.io', 'cAdvisor.'],
  ['enable-load-reader', 'bool', 'false', 'cAdvisor.'],
  ['event-storage-age-limit', 'string', 'default=0', 'cAdvisor.'],
  ['event-storage-event-limit', 'string', 'default=0', 'cAdvisor.'],
  ['global-housekeeping-interval', 'duration', '1m0s', 'cAdvisor.'],
  ['housekeeping-interval', 'duration', '10s', 'cAdvisor.'],
  ['log-cadvisor-usage', 'bool', 'false', 'cAdvisor.'],
  ['machine-id-file', 'string', '/etc/machine-id,/var/lib/dbus/machine-id', 'cAdvisor.'],
  ['max-housekeeping-interval', 'duration', '15s', 'cAdvisor.'],
  ['storage-driver-buffer-duration', 'duration', '1m0s', 'cAdvisor.'],
  ['storage-driver-db', 'string', 'cadvisor', 'cAdvisor.'],
  ['storage-driver-host', 'string', 'localhost:8086', 'cAdvisor.'],
  ['storage-driver-password', 'string', '', 'cAdvisor.'],
  ['storage-driver-secure', 'bool', 'false', 'cAdvisor.'],
  ['storage-driver-table', 'string', 'stats', 'cAdvisor.'],
  ['storage-driver-user', 'string', '', 'cAdvisor.'],
]);

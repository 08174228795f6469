import { flagTable } from './table.ts';

/** Flags of kubelet 1.36 without a field in its configuration, and without effect here. */
export const ignoredKubeletFlags = flagTable('ignored', [
  ['exit-on-lock-contention', 'bool', 'false', 'Exit when another process wants --lock-file.'],
  ['experimental-mounter-path', 'string', '', 'Program that mounts.'],
  ['lock-file', 'string', '', 'File that keeps two agents apart.'],
  ['runtime-cgroups', 'string', '', 'Cgroup of the runtime, for statistics.'],
]);

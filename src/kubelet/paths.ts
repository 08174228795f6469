import { join } from 'node:path';
import { safeSegment } from '#lib/path-segment.ts';

/** Where the agent keeps things on disk, with upstream's layout below each root. */
export interface Paths {
  /** Upstream's `--root-dir`: `/var/lib/kubelet`. */
  readonly root: string;
  /** `/var/log/pods`. */
  readonly podLogs: string;
  /** `/var/log/containers`: links that log collectors follow. */
  readonly containerLogs: string;
}

export const podsDir = (paths: Paths): string => join(paths.root, 'pods');

export const podDir = (paths: Paths, uid: string): string =>
  join(podsDir(paths), safeSegment(uid, 'pod UID'));

export const podVolumesDir = (paths: Paths, uid: string): string => join(podDir(paths, uid), 'volumes');

export const podVolumeDir = (paths: Paths, uid: string, plugin: string, volume: string): string =>
  join(podVolumesDir(paths, uid), safeSegment(plugin, 'volume plugin'), safeSegment(volume, 'volume name'));

/** Holds a container's termination message files. */
export const podContainerDir = (paths: Paths, uid: string, container: string): string =>
  join(podDir(paths, uid), 'containers', safeSegment(container, 'container name'));

/** The pod's /etc/hosts, in its directory. */
export const ETC_HOSTS = 'etc-hosts';

export const etcHostsPath = (paths: Paths, uid: string): string => join(podDir(paths, uid), ETC_HOSTS);

export interface PodIdentity {
  namespace: string;
  name: string;
  uid: string;
}

export const podLogDir = (paths: Paths, pod: PodIdentity): string =>
  join(paths.podLogs, safeSegment(`${pod.namespace}_${pod.name}_${pod.uid}`, 'pod log directory'));

/** A container's log relative to its pod's log directory, as CRI's `log_path` wants it. */
export const containerLogPath = (container: string, attempt: number): string =>
  join(safeSegment(container, 'container name'), `${attempt}.log`);

/** The link in `/var/log/containers`, cut to what a file name may hold, but never the ID (upstream cuts that). */
export function containerLogLink(paths: Paths, pod: PodIdentity, container: string, id: string): string {
  const name = `${pod.name}_${pod.namespace}_${container}`;
  const cut = 250 - id.length;
  return join(paths.containerLogs, safeSegment(`${name.slice(0, cut)}-${id}.log`, 'container log link'));
}

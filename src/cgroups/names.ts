/** Where the agent's groups stand below a hierarchy's mount point, as upstream names them for each driver. */
import type { QosClass } from '#lib/kube/qos.ts';
import { safeSegment } from '#lib/path-segment.ts';
import { CgroupError } from './errors.ts';

/** A group by its components from the top: `['kubepods', 'burstable', 'podUID']`. */
export type CgroupName = readonly string[];

export interface CgroupNaming {
  /** The path below a mount point, beginning with `/`; also what CRI gets as `cgroup_parent`. */
  path(name: CgroupName): string;
  /** The UID of the pod whose group's folder this is, or undefined if it isn't a pod's. */
  podUid(folder: string): string | undefined;
}

const POD = 'pod';

/** The cgroup root as configured (`/`, `/nodelet/pods`), then `kubepods`. */
export function podsName(cgroupRoot: string): CgroupName {
  const parts = cgroupRoot.split('/').filter((part) => part !== '');
  return [...parts.map((part) => safeSegment(part, 'cgroup root')), 'kubepods'];
}

/** Guaranteed pods stand directly in `kubepods`. */
export function qosName(pods: CgroupName, qos: QosClass): CgroupName {
  return qos === 'Guaranteed' ? pods : [...pods, qos.toLowerCase()];
}

export const podName = (pods: CgroupName, qos: QosClass, uid: string): CgroupName => [
  ...qosName(pods, qos),
  `${POD}${safeSegment(uid, 'pod UID')}`,
];

export const QOS_CLASSES: readonly QosClass[] = ['Guaranteed', 'Burstable', 'BestEffort'];

/** `/kubepods/burstable/podUID` */
export const cgroupfsNaming: CgroupNaming = {
  path: (name) => `/${name.join('/')}`,
  podUid(folder) {
    return folder.startsWith(POD) && folder.length > POD.length ? folder.slice(POD.length) : undefined;
  },
};

/**
 * `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice`, where a UID's dashes become
 * underscores because systemd reads a dash as a level.
 */
export const systemdNaming: CgroupNaming = {
  path(name) {
    const escaped = name.map((part) => {
      if (part.includes('_')) {
        throw new CgroupError(`cgroup name ${JSON.stringify(part)} can't hold "_" with the systemd driver`);
      }
      return part.replaceAll('-', '_');
    });
    return escaped.map((_, at) => `/${escaped.slice(0, at + 1).join('-')}.slice`).join('');
  },
  podUid(folder) {
    const uid = /^(?:.*-)?pod([^-]+)\.slice$/.exec(folder)?.[1];
    return uid?.replaceAll('_', '-');
  },
};

/** The name of systemd's unit for a path of `systemdNaming`. */
export const unitOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

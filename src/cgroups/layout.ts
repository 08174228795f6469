/** Which control groups this machine has, and where: cgroup v1, v2, or both side by side (cgroups(7)). */
import type { MountEntry } from '#host/mounts.ts';
import { CgroupError } from './errors.ts';

/** One mounted hierarchy. */
export interface CgroupMount {
  mountPoint: string;
  /** Controllers by the kernel's names; a named hierarchy as `name=systemd`. */
  controllers: string[];
  /** The group that the mount shows as its top: `/` unless the agent sees only a part (in a container). */
  root: string;
  writable: boolean;
}

export type CgroupLayout =
  | {
      version: 1;
      /** v2 beside it, without the controllers that v1 holds: runtimes put processes in groups there too. */
      unified: CgroupMount | undefined;
      mounts: CgroupMount[];
      /** Controllers of the kernel that aren't mounted anywhere, so nothing can be limited by them. */
      missing: string[];
    }
  | { version: 2; mount: CgroupMount; missing: string[] };

/** The controllers that pods' limits are written to. */
const WANTED = ['cpu', 'cpuset', 'memory', 'pids', 'hugetlb'];

/**
 * Reads the layout.
 *
 * @param mounts the process's mount table
 * @param procCgroups the text of `/proc/cgroups`
 * @param v2Controllers the text of the v2 mount's `cgroup.controllers`, where there is one
 */
export function detectLayout(
  mounts: readonly MountEntry[],
  procCgroups: string,
  v2Controllers: string | undefined,
): CgroupLayout {
  const known = new Set(procCgroups.split('\n').flatMap((line) => /^([a-z_]+)\t/.exec(line)?.[1] ?? []));
  const v1 = mounts.filter(({ type }) => type === 'cgroup').map((entry) => v1Mount(entry, known));
  const v2 = shortest(mounts.filter(({ type }) => type === 'cgroup2'));

  if (v1.length > 0) {
    const chosen = oneMountEach(v1);
    const held = new Set(chosen.flatMap(({ controllers }) => controllers));
    return {
      version: 1,
      unified: v2 && v2Mount(v2, []),
      mounts: chosen,
      missing: WANTED.filter((name) => !held.has(name)),
    };
  }
  if (v2 === undefined) {
    throw new CgroupError('no cgroup filesystem is mounted: mount cgroup2 on /sys/fs/cgroup');
  }
  const controllers = (v2Controllers ?? '').split(/\s+/).filter((word) => word !== '');
  return {
    version: 2,
    mount: v2Mount(v2, controllers),
    missing: WANTED.filter((name) => !controllers.includes(name)),
  };
}

/** Where the v2 hierarchy is mounted, to read its controllers before `detectLayout`. */
export const unifiedMountPoint = (mounts: readonly MountEntry[]): string | undefined =>
  shortest(mounts.filter(({ type }) => type === 'cgroup2'))?.mountPoint;

/** The mounts to make and limit groups in, whatever the version. */
export const mountsOf = (layout: CgroupLayout): CgroupMount[] =>
  layout.version === 2 ? [layout.mount] : layout.mounts;

/** Every mount where a pod may have a group: also that in which only runtimes make some. */
export const allMountsOf = (layout: CgroupLayout): CgroupMount[] =>
  layout.version === 1 && layout.unified !== undefined
    ? [...layout.mounts, layout.unified]
    : mountsOf(layout);

const isWritable = (entry: MountEntry): boolean =>
  !entry.options.includes('ro') && !entry.superOptions.includes('ro');

const shortest = (entries: readonly MountEntry[]): MountEntry | undefined =>
  entries.toSorted((a, b) => a.mountPoint.length - b.mountPoint.length)[0];

const v2Mount = (entry: MountEntry, controllers: string[]): CgroupMount => ({
  mountPoint: entry.mountPoint,
  controllers,
  root: entry.root,
  writable: isWritable(entry),
});

function v1Mount(entry: MountEntry, known: ReadonlySet<string>): CgroupMount {
  const controllers = entry.superOptions.filter((word) => known.has(word) || word.startsWith('name='));
  return { mountPoint: entry.mountPoint, controllers, root: entry.root, writable: isWritable(entry) };
}

/** A hierarchy may be mounted at several places; upstream takes the shortest path, and so must we to meet it. */
function oneMountEach(mounts: readonly CgroupMount[]): CgroupMount[] {
  const chosen = new Map<string, CgroupMount>();
  for (const mount of mounts) {
    if (mount.controllers.length === 0) continue;
    const key = mount.controllers.toSorted().join(',');
    const other = chosen.get(key);
    if (other === undefined || mount.mountPoint.length < other.mountPoint.length) chosen.set(key, mount);
  }
  return [...chosen.values()];
}

import { listDir } from '#host/files.ts';
import { isWithin } from '#host/mounts.ts';
import { OpenDir } from '#host/open-dir.ts';
import { removeTree } from '#host/remove-tree.ts';
import { type Paths, podsDir } from '../paths.ts';
import type { BlockedPod, GcVolumes } from './pods.ts';

/** UIDs of the pods that have a folder. */
export async function podDirs(paths: Paths): Promise<string[]> {
  const entries = (await listDir(podsDir(paths))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Folders that held what is mounted or bound; what is a file in them is somebody's data. */
const VOLUME_FOLDERS = new Set(['volumes', 'volume-subpaths', 'volumeDevices']);

/**
 * Removes the folder of a pod that is gone: has its volumes unmounted and removed, and then removes what is left,
 * but never anything that is mounted there, and no file where volumes were. Undefined once it is gone.
 */
export async function removePodDir(
  paths: Paths,
  uid: string,
  parts: { volumes: GcVolumes; mountPoints: () => Promise<readonly string[]>; signal: AbortSignal },
): Promise<BlockedPod | undefined> {
  const { signal } = parts;
  await parts.volumes.tearDown(uid, signal);
  const pods = await OpenDir.open(podsDir(paths));
  if (pods === undefined) return undefined;
  try {
    // Read after the unmounting; a mount anywhere below stops everything before the first file is touched.
    const mounts = new Set(await parts.mountPoints());
    const path = `${pods.path}/${uid}`;
    const mounted = [...mounts].find((point) => isWithin(point, path));
    if (mounted !== undefined) return blocked(uid, mounted, 'mount');

    const isMountPoint = (point: string): boolean => mounts.has(point);
    for (const name of await volumesFirst(pods, uid)) {
      const dir = await pods.child(uid);
      if (dir === undefined) return undefined;
      try {
        const what = VOLUME_FOLDERS.has(name) ? 'directories' : 'all';
        const obstacle = await removeTree(dir, name, { what, isMountPoint, signal });
        if (obstacle !== undefined) return blocked(uid, obstacle.path, obstacle.why);
      } finally {
        await dir.close();
      }
    }
    const obstacle = await removeTree(pods, uid, { what: 'directories', isMountPoint, signal });
    return obstacle && blocked(uid, obstacle.path, obstacle.why);
  } finally {
    await pods.close();
  }
}

/** The entries of the pod's folder. While data is in a volume's folder, all that could help to save it stays. */
async function volumesFirst(pods: OpenDir, uid: string): Promise<string[]> {
  const dir = await pods.child(uid);
  if (dir === undefined) return [];
  try {
    const names = await dir.list();
    return names.sort((a, b) => Number(VOLUME_FOLDERS.has(b)) - Number(VOLUME_FOLDERS.has(a)));
  } finally {
    await dir.close();
  }
}

const WORDS = {
  mount: 'is still mounted; unmount it',
  file: 'holds data where a volume was; save or remove it',
  busy: 'is in use',
} as const;

const blocked = (uid: string, path: string, why: keyof typeof WORDS): BlockedPod => ({
  uid,
  path,
  why,
  message: `${path} ${WORDS[why]}`,
});

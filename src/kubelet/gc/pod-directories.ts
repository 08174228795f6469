import { join } from 'node:path';
import { listDir, realPath } from '#host/files.ts';
import { isWithin } from '#host/mounts.ts';
import { removeEmptyTree, removeTree } from '#host/trees.ts';
import type { Blockage } from '#host/trees.ts';
import { type Paths, podsDir } from '../paths.ts';
import type { BlockedPod, GcVolumes } from './pods.ts';

/** UIDs of the pods that have a folder. */
export async function podDirs(paths: Paths): Promise<string[]> {
  const entries = (await listDir(podsDir(paths))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Folders that held what is mounted or bound; what has contents in them is somebody's data. */
const VOLUME_FOLDERS = new Set(['volumes', 'volume-subpaths', 'volumeDevices']);

/**
 * Removes the folder of a pod that is gone: has its volumes unmounted and removed, and then removes what is left,
 * but never anything that is mounted there, and no data where volumes were. Undefined once it is gone.
 */
export async function removePodDir(
  paths: Paths,
  uid: string,
  parts: { volumes: GcVolumes; mountPoints: () => Promise<readonly string[]>; signal: AbortSignal },
): Promise<BlockedPod | undefined> {
  const { signal } = parts;
  await parts.volumes.tearDown(uid, signal);
  const pods = await realPath(podsDir(paths));
  if (pods === undefined) return undefined;
  const path = join(pods, uid);
  // Read after the unmounting; a mount anywhere below stops everything before the first file is touched.
  const mounted = (await parts.mountPoints()).find((point) => isWithin(point, path));
  if (mounted !== undefined) return blocked(uid, mounted, 'mount');

  for (const name of await volumesFirst(path)) {
    const isVolumes = VOLUME_FOLDERS.has(name);
    const [obstacle] = await (isVolumes ? removeEmptyTree : removeTree)(join(path, name), signal);
    if (obstacle !== undefined) return blocked(uid, obstacle.path, reasonFor(obstacle, isVolumes));
  }
  const [obstacle] = await removeEmptyTree(path, signal);
  return obstacle && blocked(uid, obstacle.path, reasonFor(obstacle, false));
}

/** The entries of the pod's folder. While data is in a volume's folder, all that could help to save it stays. */
async function volumesFirst(path: string): Promise<string[]> {
  const names = ((await listDir(path)) ?? []).map((entry) => entry.name);
  return names.sort((a, b) => Number(VOLUME_FOLDERS.has(b)) - Number(VOLUME_FOLDERS.has(a)));
}

function reasonFor({ code }: Blockage, isVolumes: boolean): keyof typeof WORDS {
  if (code === 'EBUSY') return 'mount';
  return code === 'ENOTEMPTY' && isVolumes ? 'file' : 'busy';
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

import { join } from 'node:path';
import { listDir, statOf } from '#host/files.ts';

/**
 * UIDs of the pods that have a folder or device of this volume: `directory` is the kind's (`kubernetes.io~csi`), `name` the
 * volume's. The disk is what a new process and an old one agree on.
 */
export async function usersOnDisk(root: string, directory: string, name: string): Promise<string[]> {
  const pods = join(root, 'pods');
  const found: string[] = [];
  for (const { name: uid } of (await listDir(pods)) ?? []) {
    for (const place of ['volumes', 'volumeDevices']) {
      if ((await statOf(join(pods, uid, place, directory, name))) === undefined) continue;
      found.push(uid);
      break;
    }
  }
  return found;
}

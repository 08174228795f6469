/** What kinds share that mount something on the pod's folder: done once, found again by a later process. */
import { join } from 'node:path';
import { ensureDir, readText, writeAtomic } from '#host/files.ts';
import { mountAt, readMounts, unmount } from '#host/mounts.ts';
import { makeFolder } from '#host/volume-files.ts';
import { type FsGroupOptions, applyFsGroup } from '../fs-group.ts';
import type { VolumeRequest } from '../plugin.ts';

/**
 * Mounts something on the request's folder by `mount` and gives it to the pod's group, unless an earlier call did both.
 * What an interrupted call left there is undone first.
 */
export async function mountOnce(
  request: VolumeRequest & { readOnly: boolean },
  mount: () => Promise<void>,
  groupOptions: FsGroupOptions | undefined,
): Promise<void> {
  const { pod, folder, metaFolder, readOnly, signal } = request;
  const mark = join(metaFolder, 'ready');
  const isMounted = mountAt(await readMounts(), folder) !== undefined;
  if (isMounted && (await readText(mark)) !== undefined) return;
  while (mountAt(await readMounts(), folder) !== undefined) await unmount(folder, { signal });
  await makeFolder(folder, 0o750, 0o750);
  await mount();
  if (groupOptions !== undefined && !readOnly)
    await applyFsGroup({ pod, path: folder, readOnly, signal }, groupOptions);
  await ensureDir(metaFolder, 0o750);
  await writeAtomic(mark, '');
}

import { join } from 'node:path';
import { listDir, removeFile } from '#host/files.ts';

/** Removes the links to devices from a pod's folder of them; the devices stay. */
export async function removeDeviceLinks(folder: string): Promise<void> {
  for (const entry of (await listDir(folder)) ?? [])
    if (entry.isSymbolicLink()) await removeFile(join(folder, entry.name));
}

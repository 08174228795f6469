import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file so that a reader sees the old content or the new, and a power cut leaves one of them. `mode` is exact.
 * A draft that an earlier attempt left behind is overwritten.
 */
export async function writeDurable(path: string, data: string | Uint8Array, mode: number): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.new`);
  const file = await open(draft, 'w', mode);
  try {
    await file.chmod(mode);
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncDir(dirname(path));
}

/** Makes the folder's entries (new names, renames, links) survive a power cut. */
export async function syncDir(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** The first folder's executable file of this name, or undefined. */
export async function findProgram(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      if ((await stat(await realpath(path))).isFile()) return path;
    } catch {
      // Not there, or not for us: the next folder may have it.
    }
  }
  return undefined;
}

/** Where programs are: PATH, and the folders of system programs that a user's PATH leaves out. */
export function programFolders(path: string | undefined): string[] {
  const system = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const own = (path ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return [...new Set([...own, ...system])];
}

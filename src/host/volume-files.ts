/** Folders and files that become pods' volumes. */
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export type FileKind =
  | 'directory'
  | 'file'
  | 'socket'
  | 'character device'
  | 'block device'
  | 'named pipe'
  | 'unknown';

export function kindOf(stats: Stats): FileKind {
  if (stats.isDirectory()) return 'directory';
  if (stats.isFile()) return 'file';
  if (stats.isSocket()) return 'socket';
  if (stats.isCharacterDevice()) return 'character device';
  if (stats.isBlockDevice()) return 'block device';
  return stats.isFIFO() ? 'named pipe' : 'unknown';
}

/** What stands at `path` after following links, or undefined if nothing does. */
export async function kindAt(path: string): Promise<FileKind | undefined> {
  try {
    return kindOf(await stat(path));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/**
 * Makes the folder with exactly `mode`, whatever the umask, and missing parents with at most `parentMode`. An
 * existing folder stays as it is.
 */
export async function makeFolder(path: string, mode: number, parentMode = 0o755): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: parentMode });
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return;
  }
  await setFolderMode(path, { mode });
}

/** Makes an empty file with the mode, whatever the umask; an existing file stays as it is. */
export async function makeFile(path: string, mode: number): Promise<void> {
  try {
    const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, mode);
    try {
      await file.chmod(mode);
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Sets mode bits of a folder that must not be a link: exactly `mode`, or what it has and `addMode`. */
export async function setFolderMode(
  path: string,
  change: { mode?: number; addMode?: number; group?: number },
): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const stats = await folder.stat();
    if (change.group !== undefined) await folder.chown(stats.uid, change.group);
    // After chown, which takes the set-group-ID bit away.
    await folder.chmod(((change.mode ?? stats.mode) & 0o7777) | (change.addMode ?? 0));
  } finally {
    await folder.close();
  }
}

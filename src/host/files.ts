import { constants } from 'node:fs';
import type { Dirent, Stats } from 'node:fs';
import {
  lstat,
  mkdir,
  open,
  readFile,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const isCode = (error: unknown, ...codes: string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException).code ?? '');

/** The result of `read`, or undefined where the file or folder isn't there. */
async function orUndefined<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The file's text, or undefined where there is none. */
export const readText = (path: string): Promise<string | undefined> => orUndefined(readFile(path, 'utf8'));

/** The folder's entries sorted by name, or undefined where there is no such folder. */
export async function listDir(path: string): Promise<Dirent[] | undefined> {
  const entries = await orUndefined(readdir(path, { withFileTypes: true }));
  return entries?.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What stands at `path` itself (links are not followed), or undefined. */
export const statOf = (path: string): Promise<Stats | undefined> => orUndefined(lstat(path));

/** The path with all links followed, or undefined where nothing stands at its end. */
export const realPath = (path: string): Promise<string | undefined> => orUndefined(realpath(path));

/** Makes the folder and its parents; `mode` is exact, whatever the umask, for the folder itself. */
export async function ensureDir(path: string, mode = 0o755): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    if (((await folder.stat()).mode & 0o7777) !== mode) await folder.chmod(mode);
  } finally {
    await folder.close();
  }
}

/** Writes a file so that a reader sees the old text or the new, never half of it. `mode` is exact. */
export async function writeAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}.new`);
  const file = await open(draft, 'w', mode);
  try {
    await file.chmod(mode);
    await file.writeFile(data);
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

/** Removes a file or link; it may be gone already. */
export async function removeFile(path: string): Promise<void> {
  await orUndefined(unlink(path));
}

/** Removes a folder if it is there and empty; says whether it is gone now. */
export async function removeEmptyDir(path: string): Promise<boolean> {
  try {
    await orUndefined(rmdir(path));
    return true;
  } catch (error) {
    if (isCode(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY')) return false;
    throw error;
  }
}

/**
 * Removes a tree of the agent's own files (logs, records). Never for folders that pods write to or that may hold
 * mounts: those go through src/volumes.
 */
export const removeOwnTree = (path: string): Promise<void> => rm(path, { recursive: true, force: true });

/** Points the link `path` at `target`, replacing an older link. Without a draft, which a kill would leave behind. */
export async function replaceLink(target: string, path: string): Promise<void> {
  if ((await linkTarget(path)) === target) return;
  await removeFile(path);
  await symlink(target, path);
}

/** Where a link points, or undefined where there is no link. */
export async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await orUndefined(readlink(path));
  } catch (error) {
    if (isCode(error, 'EINVAL')) return undefined;
    throw error;
  }
}

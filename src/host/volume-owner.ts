/** Giving a volume's files to a group: every step goes through open files, because other pods may be changing them. */
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { chmod, chown, lchown, open, opendir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

// Not among Node's constants; the same number on every architecture that Node supports under Linux.
const O_PATH = 0o10000000;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const SETGID = 0o2000;

export interface OwnershipChange {
  group: number;
  readOnly: boolean;
  signal: AbortSignal;
  /** Called for each file. */
  onFile?: () => void;
}

const needed = (isFolder: boolean, readOnly: boolean): number =>
  (readOnly ? 0o440 : 0o660) | (isFolder ? SETGID | 0o110 : 0);

/** Whether the folder itself already is as `giveToGroup` would make it. */
export async function belongsToGroup(path: string, group: number, readOnly: boolean): Promise<boolean> {
  const file = await open(path, O_PATH);
  try {
    const stats = await file.stat();
    const mode = needed(true, readOnly);
    return stats.isDirectory() && stats.gid === group && (stats.mode & mode) === mode;
  } finally {
    await file.close();
  }
}

/**
 * Gives everything in the folder, and at last the folder itself, to the group, with the rights that fsGroup promises.
 * Links are changed themselves; other file systems below are left alone. One file after the other, so that neither this
 * process nor its threads are kept from other work.
 */
export async function giveToGroup(path: string, change: OwnershipChange): Promise<void> {
  const root = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const stats = await root.stat();
    await below(root, stats.dev, change);
    await give(root, stats, change);
  } finally {
    await root.close();
  }
}

async function below(folder: FileHandle, device: number, change: OwnershipChange): Promise<void> {
  const entries = await opendir(`/proc/self/fd/${folder.fd}`, { encoding: 'buffer' as BufferEncoding });
  for await (const { name } of entries) {
    change.signal.throwIfAborted();
    const path = Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), Buffer.from(name)]);
    try {
      await entry(path, device, change);
    } catch (error) {
      // Removed, or exchanged for something else, while it was looked at: its maker made it for the group.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ELOOP' && code !== 'ENOTDIR') throw error;
    }
  }
}

async function entry(path: Buffer, device: number, change: OwnershipChange): Promise<void> {
  const file = await open(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const stats = await file.stat();
    if (stats.dev !== device) return;
    if (stats.isSymbolicLink()) {
      change.onFile?.();
      await lchown(path, stats.uid, change.group);
      return;
    }
    if (stats.isDirectory()) {
      const folder = await open(path, FOLDER);
      try {
        await below(folder, device, change);
      } finally {
        await folder.close();
      }
    }
    await give(file, stats, change);
  } finally {
    await file.close();
  }
}

async function give(
  file: FileHandle,
  stats: Stats,
  { group, readOnly, onFile }: OwnershipChange,
): Promise<void> {
  onFile?.();
  const open = `/proc/self/fd/${file.fd}`;
  if (stats.gid !== group) await chown(open, stats.uid, group);
  const mode = (stats.mode & 0o7777) | needed(stats.isDirectory(), readOnly);
  // chown takes set-ID bits of files away.
  if (stats.gid !== group || mode !== (stats.mode & 0o7777)) await chmod(open, mode);
}

import { codeOf } from '#lib/errors.ts';
import type { OpenDir } from './open-dir.ts';

export interface RemoveTreeOptions {
  /** `directories`: only folders go, and any file among them stays and blocks. */
  what: 'all' | 'directories';
  /** Whether something is mounted on this path; it blocks, and so does another filesystem. */
  isMountPoint(path: string): boolean;
  signal?: AbortSignal;
}

/** Why a tree could not be removed whole. */
export interface Blocked {
  path: string;
  why: 'mount' | 'file' | 'busy';
}

/**
 * Removes `parent/name` with what is in it. Never leaves the filesystem of the parent, never goes into what is
 * mounted, never follows a link, whatever somebody changes meanwhile. Undefined once it is gone; otherwise the first
 * obstacle, with all else removed that could be.
 */
export async function removeTree(
  parent: OpenDir,
  name: string,
  options: RemoveTreeOptions,
): Promise<Blocked | undefined> {
  const { device } = await parent.statSelf();
  return removeEntry(parent, name, device, options);
}

async function removeEntry(
  parent: OpenDir,
  name: string,
  device: string,
  options: RemoveTreeOptions,
): Promise<Blocked | undefined> {
  options.signal?.throwIfAborted();
  const path = `${parent.path}/${name}`;
  const entry = await parent.stat(name);
  if (entry === undefined) return undefined;
  if (options.isMountPoint(path)) return { path, why: 'mount' };
  if (entry.kind !== 'directory') {
    if (options.what === 'directories') return { path, why: 'file' };
    return orBusy(path, parent.unlink(name));
  }
  if (entry.device !== device) return { path, why: 'mount' };
  const dir = await parent.child(name);
  if (dir === undefined) return undefined;
  let blocked: Blocked | undefined;
  try {
    // Between the look and the opening somebody may have mounted something.
    if ((await dir.statSelf()).identity !== entry.identity) return { path, why: 'mount' };
    for (const child of await dir.list()) {
      const obstacle = await removeEntry(dir, child, device, options);
      blocked ??= obstacle;
    }
  } finally {
    await dir.close();
  }
  return blocked ?? orBusy(path, parent.rmdir(name));
}

async function orBusy(path: string, removal: Promise<void>): Promise<Blocked | undefined> {
  try {
    await removal;
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EBUSY') return { path, why: 'mount' };
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EPERM') return { path, why: 'busy' };
    throw error;
  }
}

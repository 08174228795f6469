/**
 * Finding a file below a folder that somebody hostile may be changing at this moment. Every component is opened
 * by itself, relative to the open one above it, and never through a link; links are followed by this code, and
 * only as long as they stay below the folder. What comes back is an open descriptor, which nobody can exchange.
 */
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { mkdir, open, readlink, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { NodeletError } from '#lib/errors.ts';

/** The path leads out of the folder, or through too many links. */
export class EscapeError extends NodeletError {
  readonly code = 'ESCAPES';
}

// Not among Node's constants; the same number on every architecture that Node supports under Linux.
const O_PATH = 0o10000000;
const LOOK = O_PATH | constants.O_NOFOLLOW;
const MAX_LINKS = 40;

/** An open file or folder; `fd` is good for fstat and for `/proc/self/fd/FD`, not for reading. */
export interface Beneath {
  readonly fd: number;
  readonly stats: Stats;
  close(): Promise<void>;
}

/**
 * Opens `relative` below `folder`. With `createMode` missing folders are made, with exactly that mode. Rejects with
 * EscapeError where it would leave the folder, and with the kernel's codes otherwise (`ENOENT`, `ENOTDIR`).
 */
export async function openBeneath(folder: string, relative: string, createMode?: number): Promise<Beneath> {
  const base = await realpath(folder);
  const chain: FileHandle[] = [await open(base, O_PATH | constants.O_NOFOLLOW)];
  const pending = relative.split('/');
  let links = 0;
  try {
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (chain.length === 1) throw new EscapeError(`${relative} leads out of ${folder}`);
        await chain.pop()?.close();
        continue;
      }
      const parent = topOf(chain);
      const entry = `/proc/self/fd/${parent.fd}/${name}`;
      const next = await openOrMake(entry, createMode);
      if (!(await next.stat()).isSymbolicLink()) {
        chain.push(next);
        continue;
      }
      await next.close();
      if (++links > MAX_LINKS) throw new EscapeError(`${relative} goes through more than ${MAX_LINKS} links`);
      // The text may be another by now; it is only a list of further components, each looked at like the first.
      const target = await readlink(entry);
      if (target.startsWith('/')) {
        const inside = target === base || target.startsWith(`${base}/`);
        if (!inside) throw new EscapeError(`${relative} leads out of ${folder}, to ${target}`);
        for (const each of chain.splice(1)) await each.close();
        pending.unshift(...target.slice(base.length).split('/'));
      } else pending.unshift(...target.split('/'));
    }
    const found = topOf(chain);
    const stats = await found.stat();
    for (const each of chain.slice(0, -1)) await each.close();
    return { fd: found.fd, stats, close: () => found.close() };
  } catch (error) {
    for (const each of chain) await each.close().catch(() => undefined);
    throw error;
  }
}

function topOf(chain: readonly FileHandle[]): FileHandle {
  const top = chain.at(-1);
  if (top === undefined) throw new EscapeError('no folder is open');
  return top;
}

async function openOrMake(entry: string, createMode: number | undefined): Promise<FileHandle> {
  try {
    return await open(entry, LOOK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || createMode === undefined) throw error;
  }
  await mkdir(entry, { mode: createMode & 0o777 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const made = await open(entry, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await made.chmod(createMode & 0o7777);
  } finally {
    await made.close();
  }
  return open(entry, LOOK);
}

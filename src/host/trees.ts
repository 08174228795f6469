/**
 * Removing folders that pods wrote to. Whoever filled them may have left links, mounts, names of any bytes and any
 * depth, and may still be changing them: every step goes through an open folder, never through a path again.
 */
import { constants } from 'node:fs';
import { lstat, open, opendir, readFile, rename, rmdir, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Deeper folders are first moved up, so that neither descriptors nor the stack run out. */
const MAX_DEPTH = 32;
/** Where nothing may be moved, deeper folders stay. */
const MAX_SPARING_DEPTH = 128;
const MAX_REPORTED = 10;

/** What could not be removed, and the kernel's word for why: `EBUSY` (a mount), `EPERM` (immutable) … */
export interface Blockage {
  path: string;
  code: string;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'UNKNOWN';

/**
 * Removes the folder or file `path` with everything in it: links as links, files of any mode. It doesn't enter
 * what is mounted below it. Returns what stayed, at most the first ten; an empty list means all is gone.
 */
export const removeTree = (path: string, signal?: AbortSignal): Promise<Blockage[]> =>
  remove(path, false, signal);

/**
 * As removeTree, but only folders and empty files (mount targets) go. Anything with contents stays and is returned
 * with the code `ENOTEMPTY`, because it may be somebody's data behind a mount that isn't visible from here.
 */
export const removeEmptyTree = (path: string, signal?: AbortSignal): Promise<Blockage[]> =>
  remove(path, true, signal);

async function remove(path: string, sparing: boolean, signal?: AbortSignal): Promise<Blockage[]> {
  signal?.throwIfAborted();
  let root: FileHandle;
  try {
    await unlinkFile(path, sparing);
    return [];
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    if (codeOf(error) !== 'EISDIR') return [{ path, code: codeOf(error) }];
  }
  try {
    root = await open(path, FOLDER);
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? [] : [{ path, code: codeOf(error) }];
  }
  const removal = new Removal(root, await mountIdOf(root), sparing, signal);
  try {
    await removal.empty(root, path, 0);
  } finally {
    await root.close();
  }
  if (removal.blocked.length === 0) {
    await rmdir(path).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') removal.block(path, error);
    });
  }
  return removal.blocked;
}

const refusal = (code: string): Error => Object.assign(new Error(code), { code });

/** Unlinks what isn't a folder, whose code is EISDIR. */
async function unlinkFile(path: string | Buffer, sparing: boolean): Promise<void> {
  if (sparing) {
    const stats = await lstat(path);
    if (stats.isDirectory()) throw refusal('EISDIR');
    if (!stats.isFile() || stats.size > 0) throw refusal('ENOTEMPTY');
  }
  await unlink(path);
}

/** The mount that an open file belongs to; two bind mounts of one filesystem differ in nothing else. */
async function mountIdOf(file: FileHandle): Promise<string | undefined> {
  return /^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${file.fd}`, 'utf8'))?.[1];
}

const entryOf = (folder: FileHandle, name: Buffer | string): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), Buffer.from(name)]);

class Removal {
  readonly blocked: Blockage[] = [];
  readonly #root: FileHandle;
  readonly #mountId: string | undefined;
  readonly #sparing: boolean;
  readonly #signal: AbortSignal | undefined;
  #moved = 0;

  constructor(
    root: FileHandle,
    mountId: string | undefined,
    sparing: boolean,
    signal: AbortSignal | undefined,
  ) {
    this.#root = root;
    this.#mountId = mountId;
    this.#sparing = sparing;
    this.#signal = signal;
  }

  block(path: string, error: unknown): void {
    if (this.blocked.length < MAX_REPORTED) this.blocked.push({ path, code: codeOf(error) });
  }

  /** `shown` is the folder's path for reports only. */
  async empty(folder: FileHandle, shown: string, depth: number): Promise<void> {
    for (let round = 0; ; round++) {
      let progress = false;
      const before = this.blocked.length;
      const moved = this.#moved;
      for await (const { name } of await opendir(`/proc/self/fd/${folder.fd}`, {
        encoding: 'buffer' as BufferEncoding,
      })) {
        this.#signal?.throwIfAborted();
        if (await this.#remove(folder, Buffer.from(name), shown, depth)) progress = true;
      }
      // A folder that shrinks while it is read may hide entries; and deep folders may have been moved up to here.
      const again = progress && (moved !== this.#moved || round === 0);
      if (!again || this.blocked.length > before) return;
    }
  }

  async #remove(folder: FileHandle, name: Buffer, shown: string, depth: number): Promise<boolean> {
    const entry = entryOf(folder, name);
    const path = join(shown, name.toString());
    try {
      await unlinkFile(entry, this.#sparing);
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      if (codeOf(error) !== 'EISDIR') {
        this.block(path, error);
        return false;
      }
    }
    try {
      if (this.#sparing && depth >= MAX_SPARING_DEPTH) throw refusal('ENAMETOOLONG');
      if (!this.#sparing && depth >= MAX_DEPTH) return await this.#moveUp(entry);
      const child = await open(entry, FOLDER);
      try {
        if ((await mountIdOf(child)) !== this.#mountId) {
          this.block(path, refusal('EBUSY'));
          return false;
        }
        await this.empty(child, path, depth + 1);
      } finally {
        await child.close();
      }
      await rmdir(entry);
      return true;
    } catch (error) {
      if (this.#signal?.aborted === true) throw error;
      // What is in it has been reported already.
      if (codeOf(error) !== 'ENOTEMPTY' || this.blocked.length === 0) this.block(path, error);
      return false;
    }
  }

  async #moveUp(entry: Buffer): Promise<boolean> {
    for (;;) {
      const name = `.removing-${this.#moved++}`;
      try {
        await rename(entry, entryOf(this.#root, name));
        return true;
      } catch (error) {
        // A folder of that name with something in it: the pod's own, or of an earlier attempt.
        if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error))) throw error;
      }
    }
  }
}

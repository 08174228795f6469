import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { link, lstat, open, readdir, readlink, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { NodeletError } from '#lib/errors.ts';

/** A path that leaves the folder it must stay below, or goes through a link, or isn't a regular file. */
export class UnsafePathError extends NodeletError {
  readonly code = 'UNSAFE_PATH';
}

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants;

const errno = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Which file it is, whatever it is called: device and inode. */
const identityOf = (stats: BigIntStats): string => `${stats.dev}:${stats.ino}`;

export interface EntryStat {
  /** Device and inode: the same for every name of one file. */
  identity: string;
  kind: 'file' | 'directory' | 'link' | 'other';
  size: number;
  mode: number;
}

function entryStat(stats: BigIntStats): EntryStat {
  const kind = stats.isFile()
    ? 'file'
    : stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'link'
        : 'other';
  const mode = Number(stats.mode & 0o7777n);
  return { identity: identityOf(stats), kind, size: Number(stats.size), mode };
}

/** A regular file held open: it stays readable under whatever name, or none. */
export class OpenFile {
  readonly #handle: FileHandle;
  readonly identity: string;

  constructor(handle: FileHandle, identity: string) {
    this.#handle = handle;
    this.identity = identity;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** Fills `buffer` from `position`; the number of bytes read, 0 at the end. */
  async read(buffer: Buffer, position: number): Promise<number> {
    return (await this.#handle.read(buffer, 0, buffer.length, position)).bytesRead;
  }

  async write(data: Uint8Array): Promise<void> {
    await this.#handle.writeFile(data);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/**
 * A directory held open. Names are looked up in this very inode (openat by way of /proc/self/fd), so that nobody
 * who can write to a parent can turn the path elsewhere between two steps; links are never followed.
 */
export class OpenDir {
  readonly #handle: FileHandle;
  /** Where it was when it was opened, without links: for messages and the mount table, never for access. */
  readonly path: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.path = path;
  }

  /** Opens `path` itself; links on the way to it are the administrator's and are followed. */
  static async open(path: string): Promise<OpenDir | undefined> {
    const handle = await orMissing(open(path, O_RDONLY | O_DIRECTORY));
    return handle && new OpenDir(handle, await readlink(`/proc/self/fd/${handle.fd}`));
  }

  /** Opens `path`, which must be `root` or lie below it; below `root` no link is followed. */
  static async below(root: string, path: string): Promise<OpenDir | undefined> {
    const within = relative(resolve(root), resolve(path));
    if (within === '..' || within.startsWith(`..${sep}`)) {
      throw new UnsafePathError(`${path} is not below ${root}`);
    }
    let at = await OpenDir.open(root);
    for (const segment of within === '' ? [] : within.split(sep)) {
      if (at === undefined) return undefined;
      const parent: OpenDir = at;
      try {
        at = await parent.child(segment);
      } finally {
        await parent.close();
      }
    }
    return at;
  }

  /** The file's path through the open directory: for calls that take a path and nothing else. */
  at(name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/')) {
      throw new UnsafePathError(`${JSON.stringify(name)} is not a name in ${this.path}`);
    }
    return `${this.self}/${name}`;
  }

  get self(): string {
    return `/proc/self/fd/${this.#handle.fd}`;
  }

  async child(name: string): Promise<OpenDir | undefined> {
    const path = `${this.path}/${name}`;
    try {
      const handle = await orMissing(open(this.at(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      return handle && new OpenDir(handle, path);
    } catch (error) {
      if (errno(error) !== 'ENOTDIR' && errno(error) !== 'ELOOP') throw error;
      throw new UnsafePathError(`${path} is a link or not a folder`, { cause: error });
    }
  }

  /** The names in it, sorted by their bytes. */
  async list(): Promise<string[]> {
    return (await orMissing(readdir(this.self)))?.sort() ?? [];
  }

  /** What stands at the name itself. */
  async stat(name: string): Promise<EntryStat | undefined> {
    const stats = await orMissing(lstat(this.at(name), { bigint: true }));
    return stats && entryStat(stats);
  }

  /** Opens a regular file for reading; UnsafePathError for a link, a pipe or a device. */
  openFile(name: string): Promise<OpenFile | undefined> {
    return this.#regular(name, O_RDONLY);
  }

  /** An empty regular file, new or emptied, with exactly this mode, open for writing. */
  async createFile(name: string, mode: number): Promise<OpenFile> {
    const file = await this.#regular(name, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (file === undefined) throw new UnsafePathError(`${this.path} is gone`);
    return file;
  }

  async #regular(name: string, flags: number, mode?: number): Promise<OpenFile | undefined> {
    const path = `${this.path}/${name}`;
    let handle: FileHandle | undefined;
    try {
      // Without O_NONBLOCK opening a pipe that somebody put there would wait for its other end.
      handle = await orMissing(open(this.at(name), flags | O_NOFOLLOW | O_NONBLOCK, mode));
    } catch (error) {
      if (errno(error) !== 'ELOOP' && errno(error) !== 'ENXIO' && errno(error) !== 'EISDIR') throw error;
      throw new UnsafePathError(`${path} is a link or not a regular file`, { cause: error });
    }
    if (handle === undefined) return undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw new UnsafePathError(`${path} is not a regular file`);
      if (mode !== undefined) await handle.chmod(mode);
      return new OpenFile(handle, identityOf(stats));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  rename(from: string, to: string): Promise<void> {
    return rename(this.at(from), this.at(to));
  }

  /** Gives the file a second name; false if that name is taken. */
  async link(from: string, to: string): Promise<boolean> {
    try {
      await link(this.at(from), this.at(to));
      return true;
    } catch (error) {
      if (errno(error) === 'EEXIST') return false;
      throw error;
    }
  }

  /** Removes a file or link; it may be gone already. */
  async unlink(name: string): Promise<void> {
    await orMissing(unlink(this.at(name)));
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Runs `work` on a directory below `root` and closes it; undefined where there is no such directory. */
export async function withDir<T>(
  root: string,
  path: string,
  work: (dir: OpenDir) => Promise<T>,
): Promise<T | undefined> {
  const dir = await OpenDir.below(root, path);
  if (dir === undefined) return undefined;
  try {
    return await work(dir);
  } finally {
    await dir.close();
  }
}

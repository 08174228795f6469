/** The mount table, and changes to it through util-linux's programs (Node has no mount system call). */
import { readFile } from 'node:fs/promises';
import { ProcessError, run } from './process.ts';
import type { RunOptions } from './process.ts';

/** One line of `/proc/self/mountinfo` (proc(5)), with the octal escapes undone. */
export interface MountEntry {
  id: number;
  parentId: number;
  /** `MAJOR:MINOR` of the mounted filesystem. */
  device: string;
  /** The folder or file of that filesystem which is mounted. */
  root: string;
  mountPoint: string;
  options: string[];
  /** Propagation: `shared:N`, `master:N` … */
  optionalFields: string[];
  type: string;
  source: string;
  superOptions: string[];
}

const unescape = (text: string): string => {
  if (!text.includes('\\')) return text;
  // The escapes stand for bytes, which together with their neighbours may be one character.
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const plain = bytes.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return Buffer.from(plain, 'latin1').toString('utf8');
};

/** Reads the text of a mountinfo file; lines that don't have its shape are left out. In the kernel's order. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ');
    const dash = words.indexOf('-', 6);
    const [id, parentId, device, root, mountPoint, options] = words;
    if (dash < 0 || device === undefined || root === undefined || mountPoint === undefined) return [];
    return {
      id: Number(id),
      parentId: Number(parentId),
      device,
      root: unescape(root),
      mountPoint: unescape(mountPoint),
      options: (options ?? '').split(','),
      optionalFields: words.slice(6, dash),
      type: words[dash + 1] ?? '',
      source: unescape(words[dash + 2] ?? ''),
      superOptions: (words[dash + 3] ?? '').split(','),
    };
  });
}

export const readMounts = async (path = '/proc/self/mountinfo'): Promise<MountEntry[]> =>
  parseMountInfo(await readFile(path, 'utf8'));

export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);

/**
 * What is mounted on `path` or below it, in the order to unmount it: the table lists a mount after the one that it
 * was put on, so the latest comes first. (After mount --move that may be wrong: unmount what goes, and look again.)
 */
export const mountsBelow = (mounts: readonly MountEntry[], path: string): MountEntry[] =>
  mounts.filter((mount) => isWithin(mount.mountPoint, path)).reverse();

/** The uppermost mount exactly on `path`, or undefined where nothing is mounted there. */
export const mountAt = (mounts: readonly MountEntry[], path: string): MountEntry | undefined =>
  mounts.findLast((mount) => mount.mountPoint === path);

/** The mount that the contents of `path` belong to. */
export function mountHolding(mounts: readonly MountEntry[], path: string): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const mount of mounts) {
    if (!isWithin(path, mount.mountPoint)) continue;
    if (best === undefined || mount.mountPoint.length >= best.mountPoint.length) best = mount;
  }
  return best;
}

export interface MountOptions {
  signal?: AbortSignal;
  /** Milliseconds; 30,000 unless given. */
  timeoutMs?: number;
}

/** Mounts a tmpfs on the folder `path`; `options` as mount(8) takes them, `size=1024`. */
export async function mountTmpfs(
  path: string,
  options: readonly string[],
  limits: MountOptions = {},
): Promise<void> {
  const words = options.length === 0 ? [] : ['-o', options.join(',')];
  await run('mount', ['-n', '-t', 'tmpfs', ...words, '--', 'tmpfs', path], limits);
}

/**
 * Makes `source` visible at `target` too, without what is mounted below it. `options` (`ro`) are set by a second system
 * call: whoever is killed in between leaves the mount without them.
 */
export async function bindMount(
  source: string,
  target: string,
  limits: MountOptions & { options?: readonly string[] } = {},
): Promise<void> {
  const { options = [], ...rest } = limits;
  const words = options.length === 0 ? [] : ['-o', options.join(',')];
  await run('mount', ['-n', '--no-canonicalize', '--bind', ...words, '--', source, target], rest);
}

/** Mounts `source` (a device, `HOST:/PATH`) of the file system `type` on the folder `target`. */
export async function mountFileSystem(
  mount: { type: string; source: string; target: string; options: readonly string[] },
  limits: MountOptions = {},
): Promise<void> {
  const { type, source, target, options } = mount;
  const words = options.length === 0 ? [] : ['-o', options.join(',')];
  await run('mount', ['-n', '-t', type, ...words, '--', source, target], limits);
}

/**
 * Binds what the open descriptor `fd` stands for to `target`: no name is looked up again, so nobody can exchange
 * it in between.
 */
export async function bindMountFd(fd: number, target: string, limits: MountOptions = {}): Promise<void> {
  const options: RunOptions = { ...limits, fds: [fd] };
  await run('mount', ['-n', '--no-canonicalize', '--bind', '--', '/proc/self/fd/3', target], options);
}

/** Makes mounts below `path` visible in the mount namespaces that were made from this one, and theirs here. */
export async function makeRshared(path: string, limits: MountOptions = {}): Promise<void> {
  await run('mount', ['-n', '--make-rshared', '--', path], limits);
}

/**
 * Unmounts the uppermost mount on `path`, never following a link. Says false where nothing was mounted (any
 * more). `detach` takes it out of the tree even while something uses it.
 */
export async function unmount(
  path: string,
  options: MountOptions & { detach?: boolean } = {},
): Promise<boolean> {
  const { detach, ...limits } = options;
  const how = detach === true ? ['-l'] : [];
  try {
    await run('umount', ['-n', '-c', '-i', ...how, '--', path], limits);
    return true;
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    const gone = mountAt(await readMounts(), path) === undefined;
    if (gone) return false;
    throw error;
  }
}

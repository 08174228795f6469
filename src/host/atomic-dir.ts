/**
 * A folder whose files change all at once, in upstream's layout (pkg/volume/util/atomic_writer.go): the files are in a
 * hidden folder named after the time, `..data` is a link to it, and what people see are links through `..data`. A
 * reader that follows `..data` once sees the old files or the new, never some of each.
 */
import { constants } from 'node:fs';
import { chmod, lchown, lstat, mkdir, open, readFile, rename, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NodeletError, codeOf } from '#lib/errors.ts';
import { linkTarget, listDir } from './files.ts';
import { removeTree } from './trees.ts';

export interface DirFile {
  data: Uint8Array;
  /** Exact, whatever the umask; the group's reading bit is added where the folder gets a group. */
  mode: number;
  /** The owning user; root unless given. */
  owner?: number | undefined;
}

/** Files by their path in the folder: `key`, `sub/folder/key`. */
export type DirContent = ReadonlyMap<string, DirFile>;

export class DirContentError extends NodeletError {
  readonly code = 'DIR_CONTENT';
}

const DATA = '..data';
const NEXT = '..data_tmp';
const VERSION = /^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\./;
const MAX_PATH = 4096;
const MAX_NAME = 255;

/** The path with `.` and empty components taken out; throws DirContentError for one that could lead elsewhere. */
export function contentPath(path: string): string {
  const refuse = (why: string): DirContentError =>
    new DirContentError(`invalid path ${JSON.stringify(path.slice(0, 100))}: ${why}`);
  if (path.startsWith('/')) throw refuse('must be relative');
  if (path.length > MAX_PATH) throw refuse(`must not be longer than ${MAX_PATH} characters`);
  if (path.includes('\0')) throw refuse('must not contain NUL');
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.length === 0) throw refuse('must name a file');
  if (names.includes('..')) throw refuse('must not contain ".."');
  if (names[0]?.startsWith('..') === true) throw refuse('must not start with ".."');
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME))
    throw refuse(`a file's name must not be longer than ${MAX_NAME} bytes`);
  return names.join('/');
}

export interface AtomicDirOptions {
  /** For the name of the hidden folder, in milliseconds since 1970. */
  now: number;
  /** Makes the name unique: digits. */
  suffix: () => string;
  /** The group that may read everything, if any (`fsGroup`). */
  group?: number | undefined;
}

/** Makes `folder` hold just this content; says whether anything of it had to be written. */
export async function writeAtomicDir(
  folder: string,
  content: DirContent,
  options: AtomicDirOptions,
): Promise<boolean> {
  const steps = atomicDirSteps(folder, content, options);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * The same, a step at a time, so that a test can end it where a killed process would. Nothing is held between two
 * steps; whatever an earlier run left half-done, the next one goes on from.
 */
export async function* atomicDirSteps(
  folder: string,
  content: DirContent,
  options: AtomicDirOptions,
): AsyncGenerator<string, boolean> {
  const files = new Map([...content].map(([path, file]) => [contentPath(path), file]));
  const both = [...files.keys()].flatMap(parentsOf).find((parent) => files.has(parent));
  if (both !== undefined)
    throw new DirContentError(`path ${JSON.stringify(both)} can't be a file and a folder with files`);
  const current = await currentVersion(folder);
  const isSame = current !== undefined && (await holds(join(folder, current), files));
  let version = current;
  if (!isSame) {
    version = await makeVersion(folder, options);
    yield 'made the folder';
    for (const [path, file] of files) {
      await writeFile(join(folder, version), path, file, options.group);
      yield 'wrote a file';
    }
    if (options.group !== undefined) await giveFolders(folder, version, files, options.group);
    yield 'set modes';
    await dropLink(join(folder, NEXT));
    await symlink(version, join(folder, NEXT));
    yield 'made the link';
    await rename(join(folder, NEXT), join(folder, DATA));
    yield 'switched';
  }
  const visible = new Set([...files.keys()].map((path) => path.split('/', 1)[0] ?? path));
  for (const name of visible) {
    if (await makeVisible(folder, name)) yield 'made a file visible';
  }
  for (const { name } of (await listDir(folder)) ?? []) {
    if (await removeStale(folder, name, visible, version)) yield 'removed what is stale';
  }
  return !isSame;
}

/** The hidden folder that `..data` leads to. */
async function currentVersion(folder: string): Promise<string | undefined> {
  const target = await linkTarget(join(folder, DATA));
  return target !== undefined && VERSION.test(target) && !target.includes('/') ? target : undefined;
}

/** Whether the hidden folder holds just these files with just these contents. */
async function holds(version: string, files: DirContent): Promise<boolean> {
  const present = await pathsBelow(version, '');
  if (present.length !== files.size) return false;
  for (const path of present) {
    const wanted = files.get(path);
    if (wanted === undefined || !(await readFile(join(version, path))).equals(wanted.data)) return false;
  }
  return true;
}

async function pathsBelow(version: string, sub: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of (await listDir(join(version, sub))) ?? []) {
    const path = sub === '' ? entry.name : `${sub}/${entry.name}`;
    if (entry.isDirectory()) paths.push(...(await pathsBelow(version, path)));
    else paths.push(path);
  }
  return paths;
}

/** `..2006_01_02_15_04_05.NNN`, UTC. */
async function makeVersion(folder: string, { now, suffix }: AtomicDirOptions): Promise<string> {
  const time = new Date(now).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_');
  for (;;) {
    const name = `..${time}.${suffix()}`;
    try {
      await mkdir(join(folder, name), { mode: 0o755 });
      await chmod(join(folder, name), 0o755);
      return name;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

async function writeFile(
  version: string,
  path: string,
  { data, mode, owner }: DirFile,
  group: number | undefined,
): Promise<void> {
  const target = join(version, path);
  for (const parent of parentsOf(path).reverse()) await makeParent(join(version, parent));
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const file = await open(target, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(data);
    if (owner !== undefined || group !== undefined) await file.chown(owner ?? 0, group ?? 0);
    // After chown, which takes set-ID bits away.
    await file.chmod(group === undefined ? mode : mode | 0o440);
  } finally {
    await file.close();
  }
}

async function makeParent(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
    await chmod(path, 0o755);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** The folders above a path, the nearest first. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let at = dirname(path); at !== '.'; at = dirname(at)) parents.push(at);
  return parents;
}

/** Lets the group into every folder, and the outermost too: its own files come and go with later versions. */
async function giveFolders(folder: string, version: string, files: DirContent, group: number): Promise<void> {
  const below = new Set([...files.keys()].flatMap(parentsOf));
  for (const path of [...[...below].map((each) => join(version, each)), version, '']) {
    const target = join(folder, path);
    await lchown(target, (await lstat(target)).uid, group);
    await chmod(target, ((await lstat(target)).mode & 0o7777) | 0o2550);
  }
}

async function dropLink(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** A link through `..data`; what else stands under the name (a mount point for another volume) stays. */
async function makeVisible(folder: string, name: string): Promise<boolean> {
  try {
    await symlink(`${DATA}/${name}`, join(folder, name));
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** Removes links to what is gone, older hidden folders, and what a killed process left. */
async function removeStale(
  folder: string,
  name: string,
  visible: ReadonlySet<string>,
  version: string | undefined,
): Promise<boolean> {
  const path = join(folder, name);
  if (VERSION.test(name)) {
    if (name === version) return false;
    const [blocked] = await removeTree(path);
    if (blocked !== undefined) throw new DirContentError(`${blocked.path} can't be removed: ${blocked.code}`);
    return true;
  }
  if (name !== NEXT) {
    if (name === DATA || visible.has(name) || (await linkTarget(path)) !== `${DATA}/${name}`) return false;
  }
  await dropLink(path);
  return true;
}

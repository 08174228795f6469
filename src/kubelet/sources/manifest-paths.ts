/** Which manifests a path stands for, and which folders tell when that changes. */
import { basename, dirname, join, resolve } from 'node:path';
import { linkTarget, listDir } from '#host/files.ts';
import { stampOf } from '#host/bounded-read.ts';
import type { WatchedFolder } from '#host/watch.ts';
import { asError, NodeletError } from '#lib/errors.ts';
import type { FileRule } from './file-rules.ts';

export class ManifestPathError extends NodeletError {
  readonly code = 'MANIFEST_PATH';
}

export interface ManifestPaths {
  /** Sorted; each may still turn out to be no plain file. */
  files: string[];
  folders: WatchedFolder[];
  /** Why the files can't be told; `folders` may tell when they can. */
  error?: Error;
}

const MOST_LINKS = 8;

/** What `path`, a folder or one file, stands for now. Nothing there is no error: it may come later. */
export async function manifestPaths(path: string, rule: FileRule): Promise<ManifestPaths> {
  const folders: WatchedFolder[] = [];
  try {
    folders.push(...(await watchedFor(path)));
    return { files: await manifestFiles(path, rule, folders), folders };
  } catch (error) {
    return { files: [], folders, error: asError(error) };
  }
}

/** Adds to `folders` those that the files themselves need. */
async function manifestFiles(path: string, rule: FileRule, folders: WatchedFolder[]): Promise<string[]> {
  const stamp = await stampOf(path);
  if (stamp === undefined) return [];
  if (stamp.kind === 'file') return [path];
  if (stamp.kind === 'other') throw new ManifestPathError(`${path} is neither a folder nor a plain file`);
  folders.push({ folder: path });
  const entries = ((await listDir(path)) ?? []).filter(
    (entry) => rule.accepts(entry.name) && !entry.isDirectory(),
  );
  for (const entry of entries) {
    if (entry.isSymbolicLink()) folders.push(...(await targetFolder(join(path, entry.name))));
  }
  return entries.map((entry) => join(path, entry.name));
}

/**
 * The folders in which `path` may appear or be replaced: its parent, or the nearest folder above that exists, and the
 * same for what it links to.
 */
async function watchedFor(path: string, links = 0): Promise<WatchedFolder[]> {
  let name = path;
  let folder = dirname(path);
  while (folder !== name && (await stampOf(folder)) === undefined) {
    name = folder;
    folder = dirname(folder);
  }
  const result: WatchedFolder[] = [{ folder, names: new Set([basename(name)]) }];
  const target = links < MOST_LINKS ? await linkTarget(path) : undefined;
  if (target === undefined) return result;
  return [...result, ...(await watchedFor(resolve(dirname(path), target), links + 1))];
}

/** The folder in which a manifest that is a link (of a ConfigMap mount, say) has its target. */
async function targetFolder(path: string): Promise<WatchedFolder[]> {
  const target = await linkTarget(path);
  if (target === undefined) return [];
  const whole = resolve(dirname(path), target);
  return [{ folder: dirname(whole), names: new Set([basename(whole)]) }];
}

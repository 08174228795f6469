import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

/** A folder to watch, and the names in it that matter; without `names` all do. */
export interface WatchedFolder {
  folder: string;
  names?: ReadonlySet<string>;
}

interface Watched {
  inode: string;
  watcher: FSWatcher;
  names: ReadonlySet<string> | undefined;
}

/**
 * Hints that folders changed, through inotify. Hints only: some file systems give none, the kernel's queue may
 * overflow and watches may be scarce, so whoever uses this looks again at times of its own, too.
 */
export class FolderWatcher {
  readonly #watched = new Map<string, Watched>();
  readonly #changed: () => void;
  readonly #failed: (folder: string, error: Error) => void;
  #closed = false;

  constructor(changed: () => void, failed: (folder: string, error: Error) => void) {
    this.#changed = changed;
    this.#failed = failed;
  }

  /**
   * Watches these folders from now on and no others; those that don't exist are passed over. True if a watch is new,
   * so that what happened before it has to be looked for.
   */
  async set(wanted: readonly WatchedFolder[]): Promise<boolean> {
    const folders = merge(wanted);
    for (const folder of this.#watched.keys()) if (!folders.has(folder)) this.#drop(folder);
    let isNew = false;
    for (const [folder, names] of folders) isNew = (await this.#ensure(folder, names)) || isNew;
    return isNew;
  }

  close(): void {
    this.#closed = true;
    for (const folder of this.#watched.keys()) this.#drop(folder);
  }

  async #ensure(folder: string, names: ReadonlySet<string> | undefined): Promise<boolean> {
    const inode = await inodeOf(folder);
    const before = this.#watched.get(folder);
    if (before !== undefined && before.inode === inode) {
      before.names = names;
      return false;
    }
    // Gone, or another folder has taken its place: the old watch only sees the old one.
    this.#drop(folder);
    if (inode === undefined || this.#closed) return false;
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => this.#event(folder, name));
      watcher.on('error', (error) => {
        this.#drop(folder);
        this.#failed(folder, error);
      });
      this.#watched.set(folder, { inode, watcher, names });
      return true;
    } catch (error) {
      if (error instanceof Error) this.#failed(folder, error);
      return false;
    }
  }

  #event(folder: string, name: string | null): void {
    const watched = this.#watched.get(folder);
    if (watched === undefined) return;
    // Events of the folder itself come with the folder's own name.
    const matters =
      name === null || watched.names === undefined || watched.names.has(name) || name === basename(folder);
    if (matters) this.#changed();
  }

  #drop(folder: string): void {
    this.#watched.get(folder)?.watcher.close();
    this.#watched.delete(folder);
  }
}

function merge(wanted: readonly WatchedFolder[]): Map<string, ReadonlySet<string> | undefined> {
  const result = new Map<string, ReadonlySet<string> | undefined>();
  for (const { folder, names } of wanted) {
    const before = result.get(folder);
    const all = names === undefined || (result.has(folder) && before === undefined);
    result.set(folder, all ? undefined : new Set([...(before ?? []), ...(names ?? [])]));
  }
  return result;
}

/** Identifies a folder whatever it is called; undefined where there is none or it can't be seen. */
async function inodeOf(folder: string): Promise<string | undefined> {
  try {
    const stats = await stat(folder, { bigint: true });
    return stats.isDirectory() ? `${stats.dev}:${stats.ino}` : undefined;
  } catch {
    return undefined;
  }
}

import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';

export interface DirWatch {
  /** Whether the kernel tells of changes; otherwise the owner has to look by itself. */
  readonly active: boolean;
  close(): void;
}

/** `entries`: a name came, went or means another file now; `content`: a file was written to. */
export type DirChange = 'entries' | 'content';

/**
 * Calls `changed` after something in the folder changed (inotify). Where the kernel's limits don't allow another
 * watch, or the folder goes away, the watch turns inactive: owners poll as well, at leisure.
 */
export function watchDir(path: string, changed: (what: DirChange) => void): DirWatch {
  let watcher: FSWatcher | undefined;
  const close = (): void => {
    watcher?.close();
    watcher = undefined;
  };
  try {
    watcher = watch(path, { persistent: false }, (type) =>
      changed(type === 'rename' ? 'entries' : 'content'),
    );
    watcher.on('error', close);
  } catch {
    // ENOSPC (no watches left), EMFILE, ENOENT: polling serves as well.
    watcher = undefined;
  }
  return {
    get active() {
      return watcher !== undefined;
    },
    close,
  };
}

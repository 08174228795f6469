import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface FreeSpace {
  totalBytes: number;
  /** What unprivileged programs may still use. */
  freeBytes: number;
  /** 0 where the filesystem doesn't count inodes (btrfs). */
  totalInodes: number;
  freeInodes: number;
}

/** The filesystem that holds `path`, or would hold it once it is made. */
export async function freeSpace(path: string): Promise<FreeSpace> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const stats = await statfs(at);
      return {
        totalBytes: stats.blocks * stats.bsize,
        freeBytes: stats.bavail * stats.bsize,
        totalInodes: stats.files,
        freeInodes: stats.ffree,
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || at === dirname(at)) throw error;
    }
  }
}

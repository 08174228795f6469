import { ensureDir, statOf } from '#host/files.ts';
import { codeOf } from '#lib/errors.ts';
import { CertDirError } from './errors.ts';

const mends: Record<string, string> = {
  EROFS: 'it is on a read-only file system: mount it writable, or name another folder with --cert-dir',
  EACCES: 'permission denied: run as root, or name another folder with --cert-dir',
  EPERM: 'not permitted: see whether the folder is immutable (lsattr), or name another with --cert-dir',
  ENOSPC: 'no space is left on its file system',
  EDQUOT: 'its quota is used up',
  ENOTDIR: 'a part of the path is not a folder: name another with --cert-dir',
};

/** Runs a step that reads or writes below the folder of certificates; its failure names the folder and the mend. */
export async function inCertDir<T>(dir: string, doing: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    const mend = mends[codeOf(cause) ?? ''];
    if (mend === undefined) throw cause;
    throw new CertDirError(`--cert-dir ${dir}: cannot ${doing}: ${mend}`, { cause, retryable: true });
  }
}

/** Makes the folder if it is not there; one that is there keeps its mode, which may be the admin's choice. */
export async function ensureFolder(dir: string): Promise<void> {
  if ((await statOf(dir)) === undefined) await ensureDir(dir, 0o755);
}

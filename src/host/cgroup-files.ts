/** The files and folders of the kernel's cgroup filesystems: no temporary files, no renames, exact error codes. */
import { constants } from 'node:fs';
import { mkdir, open, readFile, readdir, rmdir } from 'node:fs/promises';

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/** What the cgroup code does to the machine, so that tests can stand a made-up kernel in. */
export interface CgroupFiles {
  /** The text, or undefined where there is no such file or the kernel has nothing to say in it (threaded groups). */
  read(path: string): Promise<string | undefined>;
  /** Writes to a file that exists already; rejects with the kernel's code (EINVAL, EBUSY, ENOENT …). */
  write(path: string, text: string): Promise<void>;
  /** Says whether the folder is new; its parent must exist. */
  makeDir(path: string): Promise<boolean>;
  /** Says `busy` while something uses the group; a missing folder counts as removed. */
  removeDir(path: string): Promise<'removed' | 'busy'>;
  /** Names of the folders in `path`, or undefined where there is no such folder. */
  childDirs(path: string): Promise<string[] | undefined>;
  /** Sends SIGKILL; a process that is gone is no error. */
  kill(pid: number): void;
  /** This process, which is never killed. */
  readonly ownPid: number;
}

export const machineCgroupFiles: CgroupFiles = {
  ownPid: process.pid,

  async read(path) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP'].includes(codeOf(error))) return undefined;
      throw error;
    }
  },

  async write(path, text) {
    const file = await open(path, constants.O_WRONLY);
    try {
      await file.write(text);
    } finally {
      await file.close();
    }
  },

  async makeDir(path) {
    try {
      await mkdir(path, 0o755);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  },

  async removeDir(path) {
    try {
      await rmdir(path);
      return 'removed';
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 'removed';
      if (['EBUSY', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) return 'busy';
      throw error;
    }
  },

  async childDirs(path) {
    try {
      const entries = await readdir(path, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ENODEV'].includes(codeOf(error))) return undefined;
      throw error;
    }
  },

  kill(pid) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
  },
};

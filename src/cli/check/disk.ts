import { freeSpace, type FreeSpace } from '#host/free-space.ts';
import { fail, ok, warn, type Check, type Finding } from './check.ts';

const mebi = 1024 * 1024;

/** Below these nothing can be relied on; kubelet evicts pods below 10 % (nodefs) and 15 % (images). */
const leastBytes = 256 * mebi;
const lowPart = 0.1;
const lowInodePart = 0.05;

export function judgeSpace(path: string, space: FreeSpace): Finding {
  const free = `${Math.floor(space.freeBytes / mebi)} MiB free at ${path}`;
  const mend = 'make room, or choose another place';
  if (space.freeBytes < leastBytes) return fail(free, mend);
  const inodes = space.totalInodes === 0 ? 1 : space.freeInodes / space.totalInodes;
  if (inodes === 0) return fail(`no inodes free at ${path}`, mend);
  if (space.freeBytes < space.totalBytes * lowPart) return warn(`${free}: below 10 %`, mend);
  if (inodes < lowInodePart) return warn(`${Math.floor(inodes * 100)} % of the inodes free at ${path}`, mend);
  return ok(free);
}

export const checkDisk: Check = async ({ mode, runtimeEndpoint, rootDir, runtimeRoot, podLogsDir }) => {
  const own = mode === 'standalone' && runtimeEndpoint === undefined ? [runtimeRoot] : [];
  const paths = [rootDir, ...own, podLogsDir];
  return Promise.all(paths.map(async (path) => judgeSpace(path, await freeSpace(path))));
};

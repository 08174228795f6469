/** Ending what runs in a group and removing it, in every hierarchy. */
import { join } from 'node:path';
import type { CgroupFiles } from '#host/cgroup-files.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import { CgroupError } from './errors.ts';

export interface RemovalOptions {
  files: CgroupFiles;
  clock: Clock;
  logger: Logger;
  /** Milliseconds until it gives up; the error is retryable. */
  timeoutMs: number;
}

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 500;
/** Nobody nests groups deeper than this; a loop would need a broken kernel. */
const MAX_DEPTH = 64;

/**
 * Removes the groups `folders` (one group's folder in each hierarchy) with all below them. Processes are killed
 * only if the groups can't be removed without. A group stays busy for a moment after its last process, hence the
 * growing pauses.
 */
export async function removeGroups(folders: readonly string[], options: RemovalOptions): Promise<void> {
  const { files, clock, logger, timeoutMs } = options;
  const deadline = clock.monotonic() + timeoutMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const busy: string[] = [];
    for (const folder of folders) if (!(await removeTree(files, folder, 0))) busy.push(folder);
    if (busy.length === 0) return;

    const pids = await processesIn(files, busy);
    if (pids.has(files.ownPid)) {
      throw new CgroupError(`cgroup ${busy[0]} holds the agent itself and is left alone`);
    }
    if (clock.monotonic() >= deadline) {
      const list = [...pids].slice(0, 10).join(', ');
      const who = pids.size === 0 ? 'no process is left in it' : `processes ${list} don't end`;
      throw new CgroupError(`cgroup ${busy[0]} can't be removed: ${who}`, { retryable: true });
    }
    if (pids.size > 0) logger.info({ cgroup: busy[0], pids: [...pids] }, 'killing what is left in a cgroup');
    await killAll(files, busy, pids);
    await sleep(clock, pause);
  }
}

/** From the leaves up; false if anything is busy. */
async function removeTree(files: CgroupFiles, folder: string, depth: number): Promise<boolean> {
  const children = await files.childDirs(folder);
  if (children === undefined) return true;
  let empty = depth < MAX_DEPTH;
  for (const child of empty ? children : []) {
    if (!(await removeTree(files, join(folder, child), depth + 1))) empty = false;
  }
  return empty && (await files.removeDir(folder)) === 'removed';
}

/** The group's folder and all below it. */
async function* walk(files: CgroupFiles, folder: string, depth = 0): AsyncGenerator<string> {
  const children = await files.childDirs(folder);
  if (children === undefined || depth > MAX_DEPTH) return;
  yield folder;
  for (const child of children) yield* walk(files, join(folder, child), depth + 1);
}

/** The processes in the groups and those below, as this process sees them. */
export async function processesIn(files: CgroupFiles, folders: readonly string[]): Promise<Set<number>> {
  const pids = new Set<number>();
  for (const folder of folders) {
    for await (const group of walk(files, folder)) {
      const text = (await files.read(join(group, 'cgroup.procs'))) ?? '';
      for (const line of text.split('\n')) {
        const pid = Number(line);
        // A process of a PID namespace that isn't ours shows as 0, and kill(0) would hit our own group.
        if (Number.isInteger(pid) && pid > 1) pids.add(pid);
      }
    }
  }
  return pids;
}

/** Kills the processes of the groups `folders` and of those below, without waiting for their end; says how many. */
export async function killIn(files: CgroupFiles, folders: readonly string[]): Promise<number> {
  const pids = await processesIn(files, folders);
  if (pids.has(files.ownPid)) {
    throw new CgroupError(`cgroup ${folders[0]} holds the agent itself and is left alone`);
  }
  if (pids.size > 0) await killAll(files, folders, pids);
  return pids.size;
}

async function killAll(
  files: CgroupFiles,
  folders: readonly string[],
  pids: Iterable<number>,
): Promise<void> {
  for (const folder of folders) {
    // Since Linux 5.14 v2 groups kill everything at once, also what forks meanwhile.
    if ((await files.read(join(folder, 'cgroup.controllers'))) !== undefined)
      await tryWrite(files, folder, 'cgroup.kill', '1');
  }
  for (const pid of pids) files.kill(pid);
  for (const folder of folders) {
    for await (const group of walk(files, folder)) {
      // A frozen v1 process can't die before it is thawed.
      const state = await files.read(join(group, 'freezer.state'));
      if (state !== undefined && state.trim() !== 'THAWED')
        await tryWrite(files, group, 'freezer.state', 'THAWED');
    }
  }
}

/** A help that may be missing or come too late: the next round sees what is left. */
async function tryWrite(files: CgroupFiles, folder: string, file: string, text: string): Promise<void> {
  await files.write(join(folder, file), text).catch(() => undefined);
}

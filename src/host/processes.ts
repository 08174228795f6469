import { readFile, readdir, readlink } from 'node:fs/promises';
import type { Clock } from '#lib/clock.ts';
import { sleep } from '#lib/clock.ts';

/** A process so that its number alone can't be mistaken for a later one's. */
export interface ProcessRef {
  readonly pid: number;
  /** Clock ticks since boot, as in `/proc/PID/stat`. */
  readonly startTime: string;
}

export interface ProcessInfo extends ProcessRef {
  readonly args: readonly string[];
  /** The program file; ends in ` (deleted)` where it has been replaced since. */
  readonly program: string;
  /** Names the mount namespace: equal texts, equal namespaces. */
  readonly mountNamespace: string;
}

/** The fields of `/proc/PID/stat` from the third (state) on; empty where there is no such process. */
async function statFields(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field, the name in parentheses, may hold spaces and parentheses.
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The running process with this number; undefined where there is none, or only its unread exit status. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const fields = await statFields(pid);
  // The first thread may be a zombie while others still hold the process's files and sockets.
  const ended = fields[0] === 'X' || (fields[0] === 'Z' && Number(fields[17]) <= 1);
  return ended ? undefined : fields[19];
}

const allPids = async (): Promise<number[]> =>
  (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);

/** The numbers of all processes that have a child, be it only one whose exit status nobody has read. */
export async function parents(): Promise<Set<number>> {
  const found = new Set<number>();
  for (const pid of await allPids()) found.add(Number((await statFields(pid))[1] ?? 0));
  return found;
}

export async function processRef(pid: number): Promise<ProcessRef | undefined> {
  const startTime = await startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export const isRunning = async (process: ProcessRef): Promise<boolean> =>
  (await startTimeOf(process.pid)) === process.startTime;

/** All processes whose arguments `match`, lowest number first; those that end meanwhile are left out. */
export async function findProcesses(match: (args: readonly string[]) => boolean): Promise<ProcessInfo[]> {
  const found: ProcessInfo[] = [];
  for (const pid of (await allPids()).sort((a, b) => a - b)) {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const args = text.split('\0').slice(0, -1);
    if (args.length === 0 || !match(args)) continue;
    const startTime = await startTimeOf(pid);
    const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
    const mountNamespace = await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
    if (startTime !== undefined) found.push({ pid, startTime, args, program, mountNamespace });
  }
  return found;
}

export const ownMountNamespace = (): Promise<string> => readlink('/proc/self/ns/mnt');

/** Sends a signal unless the process is gone. Says whether it was sent. */
export async function signalProcess(target: ProcessRef, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isRunning(target))) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits until the process has ended, at most `timeoutMs`; says whether it has. */
export async function waitForEnd(
  target: ProcessRef,
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = clock.monotonic() + timeoutMs;
  for (let pause = 5; await isRunning(target); pause = Math.min(2 * pause, 100)) {
    if (clock.monotonic() >= deadline) return false;
    await sleep(clock, pause, signal);
  }
  return true;
}

/** Asks the process to end, and after `graceMs` makes it. */
export async function endProcess(
  target: ProcessRef,
  graceMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  if (graceMs > 0) {
    await signalProcess(target, 'SIGTERM');
    if (await waitForEnd(target, graceMs, clock, signal)) return;
  }
  await signalProcess(target, 'SIGKILL');
  await waitForEnd(target, 10_000, clock, signal);
}

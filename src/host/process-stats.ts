import { readFile } from 'node:fs/promises';
import type { ProcessRef } from './processes.ts';

/** A process with its place among others. */
export interface ProcessStat extends ProcessRef {
  readonly parent: number;
  /** The process that leads its session. */
  readonly session: number;
  readonly args: readonly string[];
}

/** Clock ticks a second, as /proc counts: the same on every Linux that Node runs on. */
const TICKS = 100;

/** This moment in clock ticks since boot, the unit of `startTime`. */
export async function ticksSinceBoot(): Promise<number> {
  const [seconds = '0'] = (await readFile('/proc/uptime', 'utf8')).split(' ');
  return Math.floor(Number(seconds) * TICKS);
}

/** Those of the processes that still run. */
export async function processStats(pids: Iterable<number>): Promise<ProcessStat[]> {
  const found = await Promise.all([...pids].map(statOf));
  return found.filter((each) => each !== undefined);
}

async function statOf(pid: number): Promise<ProcessStat | undefined> {
  try {
    const [stat, args] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    // The second field, the name in parentheses, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return {
      pid,
      parent: Number(fields[1]),
      session: Number(fields[3]),
      startTime: fields[19] ?? '',
      args: args.split('\0').slice(0, -1),
    };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

import { readFile } from 'node:fs/promises';

/** Megabytes (10^6 bytes), as the budgets count them. */
export interface Memory {
  rss: number;
  /** The part that is the process's own, not mapped files. */
  anonymous: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024) / 1e6;
  return { rss: field('VmRSS'), anonymous: field('RssAnon') };
}

/** Milliseconds of processor time that the process has used so far; the kernel counts in steps of 10. */
export async function processorTimeOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // utime and stime, the fields 14 and 15; the name before them may hold spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

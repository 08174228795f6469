/** What a group uses now, as `kubectl top` and cAdvisor count it. */
import { join } from 'node:path';
import type { CgroupFiles } from '#host/cgroup-files.ts';
import { mountsOf } from './layout.ts';
import type { CgroupLayout } from './layout.ts';

export interface CgroupUsage {
  /** Nanoseconds of processor time since the group was made; undefined if nothing counts it. */
  cpuNanoseconds: number | undefined;
  /** Bytes in use without the file pages that haven't been touched for long; undefined if nothing counts them. */
  workingSetBytes: number | undefined;
}

/** Reads the usage of the group `path` (below the mount points), with all groups below it. */
export async function readUsage(
  files: CgroupFiles,
  layout: CgroupLayout,
  path: string,
): Promise<CgroupUsage> {
  const fileOf = (controller: string, name: string): string | undefined => {
    const mount = mountsOf(layout).find(({ controllers }) => controllers.includes(controller));
    return mount && join(mount.mountPoint, path, name);
  };
  const read = async (file: string | undefined): Promise<string | undefined> =>
    file === undefined ? undefined : files.read(file);

  if (layout.version === 2) {
    // cpu.stat is there without the controller, too.
    const [cpu, current, stat] = await Promise.all([
      read(join(layout.mount.mountPoint, path, 'cpu.stat')),
      read(fileOf('memory', 'memory.current')),
      read(fileOf('memory', 'memory.stat')),
    ]);
    const microseconds = fieldOf(cpu, 'usage_usec');
    return {
      cpuNanoseconds: microseconds === undefined ? undefined : microseconds * 1000,
      workingSetBytes: workingSet(current, fieldOf(stat, 'inactive_file')),
    };
  }
  const [cpu, usage, stat] = await Promise.all([
    read(fileOf('cpuacct', 'cpuacct.usage')),
    read(fileOf('memory', 'memory.usage_in_bytes')),
    read(fileOf('memory', 'memory.stat')),
  ]);
  return {
    cpuNanoseconds: numberOf(cpu),
    workingSetBytes: workingSet(usage, fieldOf(stat, 'total_inactive_file')),
  };
}

/** The kernel may count more inactive pages than usage, because it doesn't read both at one moment. */
function workingSet(usage: string | undefined, inactive: number | undefined): number | undefined {
  const bytes = numberOf(usage);
  return bytes === undefined ? undefined : Math.max(0, bytes - (inactive ?? 0));
}

const numberOf = (text: string | undefined): number | undefined =>
  text === undefined || !/^\d+\s*$/.test(text) ? undefined : Number(text);

function fieldOf(text: string | undefined, name: string): number | undefined {
  const line = text?.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : numberOf(line.slice(name.length + 1));
}

/** The machine as the checks see it: programs, nodelet's answers, groups. */
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const home = '/opt/nodelet';
export const nodelet = join(home, 'bin/nodelet');
export const groups = '/sys/fs/cgroup';

/** Runs a program and returns what it printed; throws with its standard error where it fails. */
export async function run(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: 180_000, maxBuffer: 64 << 20 });
    return stdout;
  } catch (error) {
    const {
      stderr = '',
      stdout = '',
      message = '',
    } = error as {
      stderr?: string;
      stdout?: string;
      message?: string;
    };
    throw new Error(`${message} ${stderr.slice(-800)} ${stdout.slice(-800)}`, { cause: error });
  }
}

interface ContainerState {
  name: string;
  containerID?: string;
  restartCount: number;
  state?: Record<string, { reason?: string; exitCode?: number } | undefined>;
  lastState?: Record<string, { reason?: string; exitCode?: number } | undefined>;
}

export interface Pod {
  metadata: { name: string; uid: string };
  status?: {
    phase?: string;
    qosClass?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: ContainerState[];
    initContainerStatuses?: ContainerState[];
  };
}

export async function pods(): Promise<Map<string, Pod>> {
  const { items } = JSON.parse(await run(nodelet, 'get', 'pods', '-A', '-o', 'json')) as { items: Pod[] };
  return new Map(items.map((pod) => [pod.metadata.name.replace(/-machine$/, ''), pod]));
}

export async function podNamed(name: string): Promise<Pod> {
  const pod = (await pods()).get(name);
  if (pod === undefined) throw new Error(`nodelet knows no pod ${name}`);
  return pod;
}

export const containersOf = (pod: Pod): ContainerState[] => [
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.containerStatuses ?? []),
];

/** IDs and restart counts of the containers, to compare before and after. */
export function identity(pod: Pod): string {
  const each = containersOf(pod).map((one) => `${one.name}=${one.containerID ?? '-'} x${one.restartCount}`);
  return `${pod.metadata.name} ${pod.metadata.uid} ${each.join(' ')}`;
}

/** The file of a group, without its last line end; undefined where it isn't there. */
export function groupFile(path: string, file: string): string | undefined {
  try {
    return readFileSync(join(groups, path, file), 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}

/** Names of the groups in a group; empty where there is no such group. */
export function groupsIn(path: string): string[] {
  try {
    return readdirSync(join(groups, path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** The folder of a container's own group in its pod's: its name ends in the container's ID, or that and `.scope`. */
export function containerGroup(podGroup: string, container: ContainerState): string {
  const id = (container.containerID ?? '').replace(/^containerd:\/\//, '');
  const name = groupsIn(podGroup).find((each) => id !== '' && each.includes(id));
  if (name === undefined) {
    throw new Error(`${podGroup} holds ${groupsIn(podGroup).join(', ') || 'nothing'}, no group of ${id}`);
  }
  return join(podGroup, name);
}

/** The processes in a group and below it, by number. */
export function processesBelow(path: string): number[] {
  const own = (groupFile(path, 'cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number);
  return [...own, ...groupsIn(path).flatMap((name) => processesBelow(join(path, name)))].sort(
    (a, b) => a - b,
  );
}

/** The processes whose program's name is `name`, with their start time so that a number used again shows. */
export function processesNamed(name: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const program = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '';
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
        return program.split('/').at(-1) === name ? [`${pid}@${startTime}`] : [];
      } catch {
        return [];
      }
    });
}

interface LogLine {
  level?: number;
  msg?: string;
  err?: { message?: string };
}

/** What a service of nodelet logged as a warning or an error (pino's levels 40 and up), and all that isn't its own. */
export async function warningsOf(unit: string): Promise<string> {
  const text = await run('journalctl', '--no-pager', '-o', 'cat', '-u', unit);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      if (!line.startsWith('{')) return [line];
      const { level = 0, msg = '', err } = JSON.parse(line) as LogLine;
      return level < 40 ? [] : [`${msg}${err?.message === undefined ? '' : `: ${err.message}`}`];
    })
    .join('\n');
}

/** What the kernel says of the machine as a whole. Parsers are pure; sizes are bytes. */
import { arch, cpus, release } from 'node:os';
import { listDir, readText } from './files.ts';

export interface HugePages {
  sizeBytes: number;
  pages: number;
}

export interface MachineFacts {
  processors: number;
  memoryBytes: number;
  /** 0: no swap. */
  swapBytes: number;
  hugePages: readonly HugePages[];
  /** How many processes and threads there can be; undefined where the kernel doesn't say. */
  maxPids: number | undefined;
  machineId: string;
  systemUuid: string;
  bootId: string;
  kernelVersion: string;
  osImage: string;
  /** As Go names it: `amd64`, `arm64`. */
  architecture: string;
}

/** /proc/meminfo by name (`MemTotal`, `Inactive(file)`), in bytes. */
export function parseMeminfo(text: string): Map<string, number> {
  const entries = text.split('\n').flatMap((line): [string, number][] => {
    const [, name = '', kib] = /^([^:]+):\s+(\d+) kB$/.exec(line) ?? [];
    return kib === undefined ? [] : [[name, Number(kib) * 1024]];
  });
  return new Map(entries);
}

/** os-release's PRETTY_NAME. */
export const parseOsName = (text: string): string =>
  /^PRETTY_NAME=(["']?)(.*?)\1\s*$/m.exec(text)?.[2] ?? 'Unknown';

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
export const goArchitecture = (name: string): string => GO_ARCHITECTURES[name] ?? name;

const HUGE_PAGES = '/sys/kernel/mm/hugepages';

async function word(...paths: string[]): Promise<string> {
  for (const path of paths) {
    // Some of these only root may read.
    const text = await readText(path).catch(() => undefined);
    if (text !== undefined && text.trim() !== '') return text.replaceAll('\0', '').trim();
  }
  return '';
}

async function number(path: string): Promise<number | undefined> {
  const text = await word(path);
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

async function readHugePages(): Promise<HugePages[]> {
  const folders = (await listDir(HUGE_PAGES)) ?? [];
  const found = await Promise.all(
    folders.map(async ({ name }) => {
      const kib = /^hugepages-(\d+)kB$/.exec(name)?.[1];
      if (kib === undefined) return [];
      return [
        { sizeBytes: Number(kib) * 1024, pages: (await number(`${HUGE_PAGES}/${name}/nr_hugepages`)) ?? 0 },
      ];
    }),
  );
  return found.flat();
}

/** How many processes and threads there can be: the smaller of the kernel's two bounds. */
export async function readMaxPids(): Promise<number | undefined> {
  const bounds = await Promise.all(
    ['pid_max', 'threads-max'].map((name) => number(`/proc/sys/kernel/${name}`)),
  );
  const known = bounds.filter((bound) => bound !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Processes and threads that exist now; undefined where the kernel doesn't say. */
export async function readTaskCount(): Promise<number | undefined> {
  const tasks = /^\S+ \S+ \S+ \d+\/(\d+) /.exec(await word('/proc/loadavg'))?.[1];
  return tasks === undefined ? undefined : Number(tasks);
}

export const readMeminfo = async (): Promise<Map<string, number>> =>
  parseMeminfo(await word('/proc/meminfo'));

/** A few small files each time: cheap enough for every status. */
export async function readMachineFacts(): Promise<MachineFacts> {
  const [meminfo, hugePages, maxPids, machineId, systemUuid, bootId, osRelease] = await Promise.all([
    readMeminfo(),
    readHugePages(),
    readMaxPids(),
    word('/etc/machine-id', '/var/lib/dbus/machine-id'),
    word('/sys/class/dmi/id/product_uuid', '/proc/device-tree/vm,uuid', '/etc/machine-id'),
    word('/proc/sys/kernel/random/boot_id'),
    word('/etc/os-release', '/usr/lib/os-release'),
  ]);
  return {
    processors: cpus().length,
    memoryBytes: meminfo.get('MemTotal') ?? 0,
    swapBytes: meminfo.get('SwapTotal') ?? 0,
    hugePages,
    maxPids,
    machineId,
    systemUuid,
    bootId,
    kernelVersion: release(),
    osImage: parseOsName(osRelease),
    architecture: goArchitecture(arch()),
  };
}

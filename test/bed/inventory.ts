import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { exec } from './exec.ts';

/** What stands on the machine (the bed) because pods run, sorted, so that two inventories can be compared. */
export interface Inventory {
  /** containerd's containers that are no sandboxes: IDs. */
  containers: string[];
  sandboxes: string[];
  /** IDs of containers and sandboxes with a process. */
  tasks: string[];
  shims: { pid: number; id: string }[];
  /** Mount points below the containerd's folder, network namespaces and pods' volumes. */
  mounts: string[];
  /** Mount points of network namespaces. */
  networkNamespaces: string[];
  /** Addresses that host-local has given out. */
  addresses: string[];
  /** Of pods and containers, relative to their hierarchy's root, each once. */
  cgroups: string[];
  /** Host ends of pods' links. */
  links: string[];
  /** Rules of iptables' nat table that CNI plugins made for pods. */
  natRules: string[];
}

export interface InventoryOf {
  ctr?: (...args: string[]) => Promise<string>;
  socket: string;
  dir: string;
  reservations?: string;
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Mount points unescaped (`\040`), with their types, in the order in which they were mounted. */
export async function mountTable(): Promise<{ point: string; type: string }[]> {
  return lines(await readFile('/proc/self/mountinfo', 'utf8')).map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const point = (left.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCodePoint(Number.parseInt(octal, 8)),
    );
    return { point, type: right.split(' ')[0] ?? '' };
  });
}

/** Every process with its arguments. */
export async function processes(): Promise<{ pid: number; args: string[] }[]> {
  const found = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (text !== '') found.push({ pid: Number(name), args: text.split('\0') });
  }
  return found;
}

async function folders(root: string, prefix = ''): Promise<string[]> {
  const entries = await readdir(join(root, prefix), { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const path = join(prefix, entry.name);
    found.push(path, ...(await folders(root, path)));
  }
  return found;
}

/** The hierarchies' mount points: one on version 2, one a controller on version 1. */
export async function hierarchies(): Promise<string[]> {
  const mounts = await mountTable();
  return mounts.filter(({ type }) => /^cgroup2?$/.test(type)).map(({ point }) => point);
}

/** Cgroups of pods and containers in any hierarchy; the folders above them (QoS classes) may stay. */
async function podCgroups(): Promise<string[]> {
  const found = new Set<string>();
  for (const hierarchy of await hierarchies()) {
    for (const path of await folders(hierarchy)) {
      if (/(^|\/)(pod|k8s\.io\/|[^/]*-pod)[^/]+/.test(path)) found.add(path);
    }
  }
  return [...found].sort();
}

async function natRules(): Promise<string[]> {
  const rules = await exec('iptables-save', ['-t', 'nat']).catch(() => '');
  return lines(rules).filter((line) => /^-A .*(id: |CNI-[0-9a-f]|CNI-DN-)/.test(line));
}

/** Counts what is there. Without `ctr` (containerd doesn't run) the lists that only it knows are empty. */
export async function takeInventory(of: InventoryOf): Promise<Inventory> {
  const mounts = await mountTable();
  const isOwn = (point: string): boolean => point.startsWith(`${of.dir}/`);
  const shims = (await processes())
    .filter(({ args }) => args.includes(of.socket) && /containerd-shim/.test(args[0] ?? ''))
    .map(({ pid, args }) => ({ pid, id: args[args.indexOf('-id') + 1] ?? '' }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const ids = (list: string): string[] => lines(list).sort();
  const addresses = of.reservations === undefined ? [] : await readdir(of.reservations).catch(() => []);
  const kind = (name: string): string => `labels."io.cri-containerd.kind"==${name}`;
  return {
    containers: ids((await of.ctr?.('containers', 'list', '-q', kind('container'))) ?? ''),
    sandboxes: ids((await of.ctr?.('containers', 'list', '-q', kind('sandbox'))) ?? ''),
    tasks: ids((await of.ctr?.('tasks', 'list', '-q')) ?? ''),
    shims,
    mounts: mounts
      .filter(({ point, type }) => isOwn(point) || type === 'nsfs' || point.includes('/pods/'))
      .map(({ point }) => point),
    networkNamespaces: mounts
      .filter(({ type }) => type === 'nsfs')
      .map(({ point }) => point)
      .sort(),
    addresses: addresses.filter((name) => /^[0-9.]+$/.test(name)).sort(),
    cgroups: await podCgroups(),
    links: (await readdir('/sys/class/net')).filter((name) => name.startsWith('veth')).sort(),
    natRules: await natRules(),
  };
}

/** Kind by kind. */
export type Leftovers<T> = Partial<Record<keyof T, unknown[]>>;

/** What `now` has more than `before`; empty where nothing was left. */
export function leftovers<T extends Inventory>(before: T, now: T): Leftovers<T> {
  const found: Leftovers<T> = {};
  for (const kind of Object.keys(now) as (keyof T)[]) {
    const [then, still] = [before[kind], now[kind]] as unknown[][];
    const known = new Set(then?.map((each) => JSON.stringify(each)));
    const more = still?.filter((each) => !known.has(JSON.stringify(each))) ?? [];
    if (more.length > 0) found[kind] = more;
  }
  return found;
}

/** Looks until nothing more is there than `before`, `timeoutMs` at most; gives what stayed. */
export async function untilNothingLeft<T extends Inventory>(
  before: T,
  look: () => Promise<T>,
  timeoutMs: number,
): Promise<Leftovers<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = leftovers(before, await look());
    if (Object.keys(found).length === 0 || Date.now() > deadline) return found;
    await wait(200);
  }
}

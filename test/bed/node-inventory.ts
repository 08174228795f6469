import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestAgent } from './agent.ts';
import type { TestContainerd } from './containerd.ts';
import type { Inventory } from './inventory.ts';
import { mountTable } from './inventory.ts';

/** All that pods leave on a node, sorted: the runtime's part, and the agent's folders. */
export interface NodeInventory extends Inventory {
  podFolders: string[];
  logFolders: string[];
  logLinks: string[];
  /** Below the agent's root: volumes' mounts. */
  volumeMounts: string[];
}

const names = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch((): string[] => [])).sort();

export async function takeNodeInventory(
  containerd: TestContainerd,
  agent: TestAgent,
): Promise<NodeInventory> {
  const mounts = await mountTable();
  return {
    ...(await containerd.inventory()),
    podFolders: await names(join(agent.rootDir, 'pods')),
    logFolders: await names(agent.podLogs),
    logLinks: await names(agent.containerLogs),
    volumeMounts: mounts.map(({ point }) => point).filter((point) => point.startsWith(`${agent.rootDir}/`)),
  };
}

export type Leftovers = Partial<Record<keyof NodeInventory, unknown[]>>;

/** What `now` has more than `before`, kind by kind; empty where nothing was left. */
export function leftovers(before: NodeInventory, now: NodeInventory): Leftovers {
  const found: Leftovers = {};
  for (const kind of Object.keys(now) as (keyof NodeInventory)[]) {
    const known = new Set(before[kind].map((each) => JSON.stringify(each)));
    const more = now[kind].filter((each) => !known.has(JSON.stringify(each)));
    if (more.length > 0) found[kind] = more;
  }
  return found;
}

/** What is the agent's to remove, whatever became of its calls to the runtime. */
const own = ['podFolders', 'logFolders', 'logLinks', 'volumeMounts', 'cgroups', 'containers'] as const;

/**
 * Waits until nothing more is there than `before`, and gives what stayed.
 *
 * A killed agent takes its unanswered calls with it, and containerd cuts off the CNI plugins, shims and sandboxes that
 * it was making. What these leave can't be seen through CRI. Sandboxes appear there when containerd starts again,
 * hence this starts it again where one stays. Two things no client of CRI can name, and they don't count: shims that
 * watch nothing, and rules for addresses that nobody has any more, which the bridge plugin finds no second time.
 */
export async function finallyLeft(
  containerd: TestContainerd,
  agent: TestAgent,
  before: NodeInventory,
): Promise<Leftovers> {
  const left = async (): Promise<Leftovers> =>
    withoutDebris(leftovers(before, await takeNodeInventory(containerd, agent)));
  const none = async (kinds: readonly (keyof NodeInventory)[], timeoutMs: number): Promise<boolean> =>
    agent
      .waitFor(async () => {
        const found = await left();
        return kinds.every((kind) => found[kind] === undefined);
      }, timeoutMs)
      .catch(() => false);
  const all = Object.keys(before) as (keyof NodeInventory)[];
  // The agent looks for what nobody wants each minute.
  if (!(await none(own, 90_000)) || (await none(all, 5000))) return left();
  await containerd.restart();
  await none(all, 90_000);
  return left();
}

async function withoutDebris({ natRules: _rules, shims = [], ...rest }: Leftovers): Promise<Leftovers> {
  const watching: unknown[] = [];
  for (const shim of shims as NodeInventory['shims']) {
    const children = await readFile(`/proc/${shim.pid}/task/${shim.pid}/children`, 'utf8').catch(() => '');
    if (children.trim() !== '') watching.push(shim);
  }
  return { ...rest, ...(watching.length > 0 ? { shims: watching } : {}) };
}

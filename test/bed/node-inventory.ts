import { readdir } from 'node:fs/promises';
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

/** What `now` has more than `before`, kind by kind; empty where nothing was left. */
export function leftovers(
  before: NodeInventory,
  now: NodeInventory,
): Partial<Record<keyof NodeInventory, unknown[]>> {
  const found: Partial<Record<keyof NodeInventory, unknown[]>> = {};
  for (const kind of Object.keys(now) as (keyof NodeInventory)[]) {
    const known = new Set(before[kind].map((each) => JSON.stringify(each)));
    const more = now[kind].filter((each) => !known.has(JSON.stringify(each)));
    if (more.length > 0) found[kind] = more;
  }
  return found;
}

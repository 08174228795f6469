import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestAgent } from './agent.ts';
import type { TestContainerd } from './containerd.ts';
import { mountTable, untilNothingLeft } from './inventory.ts';
import type { Inventory, Leftovers } from './inventory.ts';

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

/**
 * Waits until nothing more is there than `before`, and gives what stayed. A minute and a half: the agent looks for what
 * nobody wants each minute.
 */
export async function finallyLeft(
  containerd: TestContainerd,
  agent: TestAgent,
  before: NodeInventory,
): Promise<Leftovers<NodeInventory>> {
  return untilNothingLeft(before, () => takeNodeInventory(containerd, agent), 90_000);
}

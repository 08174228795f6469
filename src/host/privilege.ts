import { readFile, statfs } from 'node:fs/promises';

const CAP_SYS_RESOURCE = 24n;

/** Whether this process may lower OOM scores and raise limits: root in a container often may not. */
export async function hasSysResource(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8');
  const bits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${bits}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

const OVERLAYFS_MAGIC = 0x794c7630;

/** Whether the folder lies on overlayfs, on which no second overlay can be put. */
export const isOnOverlay = async (folder: string): Promise<boolean> =>
  (await statfs(folder)).type === OVERLAYFS_MAGIC;

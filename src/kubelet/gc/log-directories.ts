import { join } from 'node:path';
import type { Container } from '#cri/types.ts';
import { listDir, removeFile } from '#host/files.ts';
import { fileExists } from '#host/log-files.ts';
import { removeTree } from '#host/trees.ts';
import type { Paths } from '../paths.ts';

/** The UID in the name of a pod's log folder, `NAMESPACE_NAME_UID`; undefined where it isn't one. */
export function uidOfLogDir(name: string): string | undefined {
  const parts = name.split('_');
  const uid = parts[2];
  return parts.length === 3 && uid !== '' ? uid : undefined;
}

/** Pods' log folders; what isn't named like one isn't ours. */
export async function podLogDirs(paths: Paths): Promise<{ uid: string; name: string }[]> {
  const entries = (await listDir(paths.podLogs)) ?? [];
  return entries.flatMap((entry) => {
    const uid = entry.isDirectory() ? uidOfLogDir(entry.name) : undefined;
    return uid === undefined ? [] : [{ uid, name: entry.name }];
  });
}

/** Says whether it is gone: what is mounted in it stays. */
export async function removePodLogDir(paths: Paths, name: string, signal: AbortSignal): Promise<boolean> {
  return (await removeTree(join(paths.podLogs, name), signal)).length === 0;
}

/** kubelet cuts long links' names at their end, and with them the ID; a shorter rest names no container for sure. */
const MIN_ID = 6;

/** Whether a link's name, `POD_NAMESPACE_CONTAINER-ID.log`, says that it is this container's. */
export function isLinkOf(name: string, id: string): boolean {
  if (name.endsWith(`-${id}.log`)) return true;
  const cut = /-([^-]+)\.log$/.exec(name)?.[1] ?? '';
  return cut.length >= MIN_ID && id.startsWith(cut);
}

/**
 * Removes links in /var/log/containers that lead nowhere. While a log is being rotated its link leads nowhere for a
 * moment, so links of containers that haven't exited stay; `list` is called after the links were looked at.
 */
export async function removeDeadLinks(
  paths: Paths,
  list: () => Promise<readonly Pick<Container, 'id' | 'state'>[]>,
): Promise<number> {
  const dead: string[] = [];
  for (const entry of (await listDir(paths.containerLogs)) ?? []) {
    if (!entry.isSymbolicLink() || !entry.name.endsWith('.log')) continue;
    if (!(await fileExists(join(paths.containerLogs, entry.name)))) dead.push(entry.name);
  }
  if (dead.length === 0) return 0;
  const alive = (await list()).filter(({ state }) => state !== 'CONTAINER_EXITED');
  let removed = 0;
  for (const name of dead) {
    if (alive.some(({ id }) => isLinkOf(name, id))) continue;
    await removeFile(join(paths.containerLogs, name));
    removed++;
  }
  return removed;
}

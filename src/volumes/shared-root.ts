import { ensureDir } from '#host/files.ts';
import { bindMount, makeRshared, mountAt, mountHolding, readMounts } from '#host/mounts.ts';

/**
 * Makes mounts below `root` propagate to containers and back, which bidirectional mounts and CSI drivers need. A
 * folder on a mount that isn't shared is bound to itself first. Idempotent. Says whether anything was changed.
 */
export async function ensureRshared(root: string, signal: AbortSignal): Promise<boolean> {
  await ensureDir(root, 0o750);
  const mounts = await readMounts();
  const holding = mountHolding(mounts, root);
  if (holding?.optionalFields.some((field) => field.startsWith('shared:')) === true) return false;
  // An own mount that isn't shared: an earlier run was interrupted between the two steps.
  if (mountAt(mounts, root) === undefined) await bindMount(root, root, { signal });
  await makeRshared(root, { signal });
  return true;
}

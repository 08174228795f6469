/** libcni's cache of what its plugins answered, one file a sandbox and network, for all networks of the machine. */
import { join } from 'node:path';
import { listDir, readText, removeFile } from '#host/files.ts';
import { isWithin } from '#host/mounts.ts';

/** libcni's own default; containerd has no setting for it. */
const standardFolder = '/var/lib/cni/results';

/** What of the cache tells whose it is. */
interface CachedResult {
  result?: { interfaces?: ({ sandbox?: unknown } | null)[] | null } | null;
}

/**
 * Whether a cached result is of a network namespace below `folder`. Files with another shape, of somebody's own
 * plugin, are nobody's here.
 */
export function isResultBelow(text: string, folder: string): boolean {
  let cached: CachedResult | null;
  try {
    cached = JSON.parse(text) as CachedResult | null;
  } catch {
    return false;
  }
  const interfaces = cached?.result?.interfaces;
  if (!Array.isArray(interfaces)) return false;
  return interfaces.some((each) => typeof each?.sandbox === 'string' && isWithin(each.sandbox, folder));
}

/**
 * Removes the results of a network that only one containerd uses, and of its sandboxes' loopback links. Those are
 * named for all containerds alike, so the sandbox tells: its ID in another result, or where its network namespace
 * was. After a reboot the plugins can't take the namespace down, and loopback's result stays as the only one.
 */
export async function removeResults(network: string, state: string, folder = standardFolder): Promise<void> {
  const names = ((await listDir(folder)) ?? []).map((entry) => entry.name);
  const own = names.filter((name) => name.startsWith(`${network}-`));
  const sandboxes = own.map((name) => name.slice(network.length + 1, name.lastIndexOf('-')));
  const loopbacks = new Set(sandboxes.map((id) => `cni-loopback-${id}-lo`));
  for (const name of names.filter((each) => each.startsWith('cni-loopback-'))) {
    if (isResultBelow((await readText(join(folder, name))) ?? '', state)) loopbacks.add(name);
  }
  for (const name of [...own, ...loopbacks]) await removeFile(join(folder, name));
}

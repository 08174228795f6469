/** File systems on block devices. */
import { ProcessError, run } from './process.ts';
import { type MountOptions, mountFileSystem } from './mounts.ts';

/** What blkid says when it finds nothing. */
const NOTHING_FOUND = 2;

/**
 * The type of what is on the device: a file system's name, or `unknown data` for partition tables and the like; undefined
 * where there is nothing. Rejects with ProcessError where it can't be told, which must never be taken for an empty device.
 */
export async function deviceContent(device: string, limits: MountOptions = {}): Promise<string | undefined> {
  try {
    const args = ['-p', '-s', 'TYPE', '-s', 'PTTYPE', '-o', 'export', '--', device];
    const { stdout } = await run('blkid', args, limits);
    return /^TYPE=(.+)$/m.exec(stdout)?.[1] ?? (stdout.includes('PTTYPE=') ? 'unknown data' : undefined);
  } catch (error) {
    if (error instanceof ProcessError && error.exitCode === NOTHING_FOUND) return undefined;
    throw error;
  }
}

const MKFS_MS = 10 * 60_000;

/** Makes a file system of the type on an empty device. */
export async function makeFileSystem(device: string, type: string, limits: MountOptions = {}): Promise<void> {
  // ext: don't ask where a whole device is given, and keep no blocks for root.
  const ext = ['ext2', 'ext3', 'ext4'].includes(type) ? ['-F', '-m0'] : [];
  await run(`mkfs.${type}`, [...ext, device], { timeoutMs: MKFS_MS, ...limits });
}

/**
 * Mounts the device, with a new file system of the type where it is empty (never where anything is on it, and never for a
 * read-only mount).
 */
export async function formatAndMount(
  mount: { device: string; target: string; type: string; options: readonly string[] },
  limits: MountOptions = {},
): Promise<void> {
  const { device, target, type, options } = mount;
  const content = await deviceContent(device, limits);
  if (content === undefined && !options.includes('ro')) await makeFileSystem(device, type, limits);
  await mountFileSystem({ type, source: device, target, options }, limits);
}

import type { OpenDir } from '#host/open-dir.ts';
import { gzipFile } from '#host/gzip-file.ts';
import { newStamp, rotatedFiles } from './rotated-name.ts';
import type { RotatedFile } from './rotated-name.ts';

/**
 * Moves the log aside and has the runtime open a new one. If that fails the log gets its name back, unless the
 * runtime has opened a new file in spite of the error. Returns the rotated file's name.
 *
 * A process that ends between the two leaves a container that writes to the rotated file, and no log: the next
 * check finds it missing and has it reopened, and nothing is lost.
 */
export async function moveAside(
  dir: OpenDir,
  base: string,
  wallMs: number,
  reopen: () => Promise<void>,
): Promise<string> {
  const rotated = `${base}.${newStamp(wallMs, rotatedFiles(await dir.list(), base))}`;
  await dir.rename(base, rotated);
  try {
    await reopen();
  } catch (error) {
    // A link can't take a name that is in use; a rename would replace the new file.
    if (await dir.link(rotated, base)) await dir.unlink(rotated);
    throw error;
  }
  return rotated;
}

/** Removes the oldest rotated files so that `keep` are left; a file and its compressed form count as one. */
export async function removeExcess(dir: OpenDir, base: string, keep: number): Promise<void> {
  const files = rotatedFiles(await dir.list(), base).filter(({ form }) => form !== 'tmp');
  const stamps = [...new Set(files.map(({ stamp }) => stamp))];
  const excess = new Set(stamps.slice(0, Math.max(0, stamps.length - keep)));
  for (const { name, stamp } of files) if (excess.has(stamp)) await dir.unlink(name);
}

/**
 * Finishes what an earlier run left half done, and compresses all rotated files but the newest, which a collector
 * may still be reading and the runtime still be writing to.
 */
export async function compressOlder(dir: OpenDir, base: string, signal: AbortSignal): Promise<void> {
  const files = rotatedFiles(await dir.list(), base);
  const compressed = new Set(files.filter(({ form }) => form === 'gz').map(({ stamp }) => stamp));
  const plain: RotatedFile[] = [];
  for (const file of files) {
    if (file.form === 'tmp' || (file.form === 'plain' && compressed.has(file.stamp))) {
      await dir.unlink(file.name);
    } else if (file.form === 'plain') plain.push(file);
  }
  const newest = files.findLast(({ form }) => form !== 'tmp');
  for (const { name } of plain) {
    if (name !== newest?.name) await compress(dir, name, signal);
  }
}

async function compress(dir: OpenDir, name: string, signal: AbortSignal): Promise<void> {
  const entry = await dir.stat(name);
  if (entry?.kind !== 'file') return;
  const draft = `${name}.tmp`;
  try {
    await gzipFile(dir.at(name), dir.at(draft), entry.mode, signal);
    // Removed meanwhile, by a rotation that had too many or with its container: then it stays away.
    if ((await dir.stat(name)) === undefined) return;
    await dir.rename(draft, `${name}.gz`);
    await dir.unlink(name);
  } finally {
    await dir.unlink(draft);
  }
}

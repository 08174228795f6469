import { open, stat, writeFile } from 'node:fs/promises';

/** The last `bytes` of a file as text; empty where there is none. */
export async function tailOf(path: string, bytes: number): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(bytes, size));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}

/**
 * Keeps a log below `maxBytes` that another process appends to and never opens again: its last half goes to
 * `PATH.1`, then it is emptied. Lines written between the two steps are lost. Says whether there was need.
 */
export async function trimLog(path: string, maxBytes: number): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= maxBytes) return false;
  await writeFile(`${path}.1`, await tailOf(path, maxBytes / 2), { mode: 0o640 });
  const file = await open(path, 'r+');
  try {
    await file.truncate(0);
  } finally {
    await file.close();
  }
  return true;
}

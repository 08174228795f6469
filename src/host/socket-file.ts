import { chmod, rename } from 'node:fs/promises';

/**
 * Puts the listening socket `draft` at `path` with exactly `mode`, in place of whatever is there: a client that
 * comes at that moment meets the old socket or the new one, and never one with wider permissions.
 */
export async function publishSocket(draft: string, path: string, mode: number): Promise<void> {
  await chmod(draft, mode);
  await rename(draft, path);
}

import { stat } from 'node:fs/promises';

/** Whether the path leads to something in the end; links are followed. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ELOOP: a link to itself leads nowhere either.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return false;
    throw error;
  }
}

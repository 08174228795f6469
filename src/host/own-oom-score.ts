import { writeFile } from 'node:fs/promises';

/** Sets how readily the kernel picks this process when memory runs out (−1000 … 1000); false where it may not. */
export async function setOwnOomScore(score: number): Promise<boolean> {
  try {
    await writeFile('/proc/self/oom_score_adj', String(score));
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

import { readText } from './files.ts';

/** Swap areas of /proc/swaps, whose first line is a heading; a deleted one is no more. */
export function swapAreas(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? '')
    .filter((name) => name !== '');
}

/** Swap areas in use; none where the kernel knows no swap. */
export const activeSwap = async (): Promise<string[]> => swapAreas((await readText('/proc/swaps')) ?? '');

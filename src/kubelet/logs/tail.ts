import type { OpenFile } from '#host/open-dir.ts';

const NEWLINE = 0x0a;
const BLOCK = 64 << 10;

/**
 * Where the last `lines` lines of the file's first `size` bytes begin. A last line without its end doesn't count,
 * as in `kubectl logs --tail`: lines are those of the file, so a message in several pieces counts each.
 */
export async function tailStart(file: OpenFile, size: number, lines: number): Promise<number> {
  const buffer = Buffer.alloc(Math.min(BLOCK, size));
  let ends = 0;
  for (let right = size; right > 0;) {
    const left = Math.max(0, right - BLOCK);
    const block = buffer.subarray(0, right - left);
    const filled = await readFully(file, block, left);
    for (let at = filled; (at = at === 0 ? -1 : block.lastIndexOf(NEWLINE, at - 1)) >= 0;) {
      if (ends === lines) return left + at + 1;
      ends++;
    }
    right = left;
  }
  return 0;
}

async function readFully(file: OpenFile, block: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < block.length) {
    const count = await file.read(block.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

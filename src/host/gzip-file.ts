import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/**
 * Compresses one file into another, which is made or emptied and is on the disk when this returns. Works in pieces
 * on the thread pool: the event loop is never held and memory stays at a few pieces.
 */
export async function gzipFile(from: string, to: string, mode: number, signal?: AbortSignal): Promise<void> {
  const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants;
  const source = await open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const target = await open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    try {
      await target.chmod(mode);
      await pipeline(
        chunksOf(source),
        createGzip({ chunkSize: 64 << 10 }),
        async (compressed: AsyncIterable<Buffer>) => {
          for await (const chunk of compressed) await target.writeFile(chunk);
        },
        signal === undefined ? {} : { signal },
      );
      await target.datasync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(256 << 10) });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

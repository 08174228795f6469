import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { NodeletError } from '#lib/errors.ts';

/** A file that can't be taken as text: too long, not a plain file, not UTF-8. */
export class BoundedReadError extends NodeletError {
  readonly code = 'BOUNDED_READ';
}

/** What tells whether a file is still the one that was read. */
export interface FileStamp {
  kind: 'file' | 'directory' | 'other';
  size: number;
  /** Milliseconds since 1970. */
  changedAt: number;
  /** Equal for two looks at the same content, but for changes within the clock tick of the first look. */
  text: string;
}

function toStamp(stats: BigIntStats): FileStamp {
  return {
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other',
    size: Number(stats.size),
    changedAt: Number((stats.mtimeNs > stats.ctimeNs ? stats.mtimeNs : stats.ctimeNs) / 1_000_000n),
    text: [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':'),
  };
}

/** What `path` leads to, links followed; undefined where there is nothing. */
export async function stampOf(path: string): Promise<FileStamp | undefined> {
  try {
    return toStamp(await stat(path, { bigint: true }));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** As `readBoundedBytes`, of a file of UTF-8 text. */
export async function readBounded(
  path: string,
  maxBytes: number,
): Promise<{ text: string; stamp: FileStamp }> {
  const { bytes, stamp } = await readBoundedBytes(path, maxBytes);
  return { text: decodeUtf8(bytes), stamp };
}

/**
 * What a plain file holds and the stamp of what was read. Never waits for a writer, whatever kind of file the path
 * leads to, and never holds more than `maxBytes`. Rejects with BoundedReadError or the system's error.
 */
export async function readBoundedBytes(
  path: string,
  maxBytes: number,
): Promise<{ bytes: Buffer; stamp: FileStamp }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stamp = toStamp(await file.stat({ bigint: true }));
    if (stamp.kind !== 'file') throw new BoundedReadError('is not a plain file');
    if (stamp.size > maxBytes) throw new BoundedReadError(`has more than ${maxBytes} bytes`);
    const buffer = Buffer.allocUnsafe(stamp.size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    if (length > stamp.size) throw new BoundedReadError('grew while it was read');
    return { bytes: buffer.subarray(0, length), stamp };
  } finally {
    await file.close();
  }
}

/** The text of UTF-8 bytes, without a byte order mark; throws BoundedReadError on other encodings. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new BoundedReadError('is not UTF-8 text', { cause });
  }
}

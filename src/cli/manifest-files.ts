import { readBounded } from '#host/bounded-read.ts';
import { listDir, statOf } from '#host/files.ts';
import { UsageError, describeError } from '#lib/errors.ts';
import { maxApplyBytes } from '#server/api.ts';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

export interface ManifestFile {
  /** For messages. */
  name: string;
  text: string;
}

const endings = /\.(yaml|yml|json)$/;

async function readFile(path: string): Promise<ManifestFile> {
  try {
    return { name: path, text: (await readBounded(path, maxApplyBytes)).text };
  } catch (error) {
    throw new UsageError(`${path} can’t be read: ${describeError(error)}`);
  }
}

async function readStdin(stdin: Readable): Promise<ManifestFile> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxApplyBytes) throw new UsageError('standard input is over the limit of 10 MiB');
    chunks.push(bytes);
  }
  return { name: 'standard input', text: Buffer.concat(chunks).toString() };
}

/** What `-f` names: a file, the manifests of a directory, or `-` for standard input. */
export async function manifestFiles(paths: readonly string[], stdin: Readable): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const path of paths) {
    if (path === '-') {
      files.push(await readStdin(stdin));
      continue;
    }
    const entries = (await statOf(path))?.isFile() === true ? undefined : await listDir(path);
    if (entries === undefined) {
      files.push(await readFile(path));
      continue;
    }
    const names = entries
      .map(({ name }) => name)
      .filter((name) => endings.test(name) && !name.startsWith('.'));
    if (names.length === 0) throw new UsageError(`${path} holds no *.yaml, *.yml or *.json`);
    for (const name of names) files.push(await readFile(join(path, name)));
  }
  return files;
}

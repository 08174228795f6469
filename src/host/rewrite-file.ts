import { withDir } from './open-dir.ts';

export interface FileInFolder {
  /** Below it no link is followed. */
  root: string;
  folder: string;
  name: string;
}

/**
 * Makes `data` the content of a file, new or there already, and `mode` its exact mode. The file stays the same one
 * (whoever has it open or mounted sees the change), and one that holds just that is left as it is. False where the
 * folder is gone. Rejects with UnsafePathError for anything but a regular file.
 */
export async function rewriteFile(
  { root, folder, name }: FileInFolder,
  data: Uint8Array,
  mode: number,
): Promise<boolean> {
  const done = await withDir(root, folder, async (dir) => {
    const found = await dir.stat(name);
    if (found?.kind === 'file' && found.mode === mode && found.size === data.length) {
      const file = await dir.openFile(name);
      const held = Buffer.alloc(data.length);
      const read = await file?.read(held, 0);
      await file?.close();
      if (read === data.length && held.equals(data)) return true;
    }
    const file = await dir.createFile(name, mode);
    try {
      await file.write(data);
    } finally {
      await file.close();
    }
    return true;
  });
  return done === true;
}

import { open } from 'node:fs/promises';
import { readText } from './files.ts';

/** `vm.overcommit_memory` is `/proc/sys/vm/overcommit_memory`; `/` in a name stands for a dot of its own. */
const pathOf = (name: string): string =>
  `/proc/sys/${name.replaceAll(/[./]/g, (mark) => (mark === '.' ? '/' : '.'))}`;

/** The setting's value, or undefined where the kernel has no such setting. */
export async function readSysctl(name: string): Promise<string | undefined> {
  return (await readText(pathOf(name)))?.trim();
}

/** Rejects with the system's error: EACCES and EROFS where this process may not. */
export async function writeSysctl(name: string, value: string): Promise<void> {
  const file = await open(pathOf(name), 'r+');
  try {
    await file.write(value);
  } finally {
    await file.close();
  }
}

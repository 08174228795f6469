import { readFile, writeFile } from 'node:fs/promises';

/** What an agent in the kubelet role sets for the whole kernel: no namespace holds these. As in inside.sh. */
const SETTINGS = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
].map((name) => `/proc/sys/${name}`);

/** Reads them and returns what puts them back: beds that run at once see each other's values as the machine's. */
export async function keepKernelSettings(): Promise<() => Promise<void>> {
  const found = await Promise.all(
    SETTINGS.map(async (path) => ({ path, value: await readFile(path, 'utf8').catch(() => undefined) })),
  );
  return async () => {
    for (const { path, value } of found) {
      if (value !== undefined) await writeFile(path, value).catch(() => undefined);
    }
  };
}

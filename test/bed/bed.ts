import { readFileSync } from 'node:fs';
import { readFile, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hierarchies } from './inventory.ts';

/** Of the node inside the bed; there is nobody else on that network. */
export const nodeAddress = '192.0.2.10';

/** Throws outside the bed's namespaces, so that a test run by hand can't touch the machine. */
export function assertBed(): void {
  const inside =
    process.env['NODELET_TEST_BED'] === '1' && readFileSync('/proc/1/cmdline', 'utf8').includes('inside.sh');
  if (!inside) throw new Error('integration tests run only in the test bed: node test/run.ts [FILTER]');
}

const capSysResource = 24n;

/** Whether this process may lower OOM scores and raise limits (CAP_SYS_RESOURCE); containers don't always have it. */
export async function mayRaiseLimits(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8');
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return ((bits >> capSysResource) & 1n) === 1n;
}

async function removeFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeFolders(join(folder, entry.name));
  await rmdir(folder).catch(() => undefined);
}

/** Removes a cgroup, `kubepods`, and those below it from every hierarchy, as far as nothing runs in them. */
export async function removeCgroups(name: string): Promise<void> {
  for (const hierarchy of await hierarchies()) await removeFolders(join(hierarchy, name));
}

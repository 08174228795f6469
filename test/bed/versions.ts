import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from './exec.ts';

export interface Version {
  /** `2.1.9`, or the wish (`2.1`) where there is none. */
  version: string;
  binary?: string;
  /** Why there is no binary. */
  missing?: string;
}

/** Where test/setup.sh unpacks other versions of containerd, each in a folder of its own. */
const cache = process.env['NODELET_TEST_CACHE'] ?? '/var/cache/nodelet-test';

async function versionOf(binary: string): Promise<string | undefined> {
  const text = await exec(binary, ['--version']).catch(() => '');
  return /\d+\.\d+\.\d+/.exec(text)?.[0];
}

/** The containerds on this machine, newest first, and those that setup.sh wished for but could not get. */
export async function findContainerds(): Promise<Version[]> {
  const found: Version[] = [];
  for (const name of await readdir(cache).catch(() => [])) {
    if (!name.startsWith('containerd-')) continue;
    const binary = join(cache, name, 'usr/bin/containerd');
    const version = await versionOf(binary);
    if (version !== undefined) found.push({ version, binary });
    else if (name.endsWith('.missing')) {
      const missing = (await readFile(join(cache, name), 'utf8')).trim();
      found.push({ version: name.slice('containerd-'.length, -'.missing'.length), missing });
    }
  }
  const binary = '/usr/bin/containerd';
  const version = await versionOf(binary);
  found.push(
    version === undefined ? { version: 'the distribution', missing: 'not installed' } : { version, binary },
  );
  return found.sort((a, b) => b.version.localeCompare(a.version, 'en', { numeric: true }));
}

/** Those asked for by `--containerd 1.6`; without a wish, the newest and the distribution's. */
export function wanted(found: readonly Version[], wishes: readonly string[] | undefined): Version[] {
  if (wishes === undefined) {
    return found.filter(
      (each) =>
        each.binary === undefined || each.binary.startsWith('/usr/bin/') || each.version.startsWith('2.'),
    );
  }
  return wishes.flatMap((wish) => {
    const match = found.filter((each) => each.version === wish || each.version.startsWith(`${wish}.`));
    return match.length > 0 ? match : [{ version: wish, missing: 'not found; test/setup.sh gets it' }];
  });
}

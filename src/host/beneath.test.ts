import {
  mkdir,
  mkdtemp,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '#lib/errors.ts';
import { openBeneath } from './beneath.ts';

let base: string;
let volume: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'beneath-')));
  volume = join(base, 'volume');
  await mkdir(join(volume, 'a/b'), { recursive: true });
  await writeFile(join(volume, 'a/file'), 'inside');
  await mkdir(join(base, 'outside/b'), { recursive: true });
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** The path that was reached, or the code of the refusal. */
async function reach(relative: string, mode?: number): Promise<string> {
  try {
    const found = await openBeneath(volume, relative, mode);
    const path = await readlink(`/proc/self/fd/${found.fd}`);
    await found.close();
    return path.slice(base.length);
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
}

describe('openBeneath', () => {
  test.each([
    ['', '/volume'],
    ['.', '/volume'],
    ['a/b', '/volume/a/b'],
    ['a//./b/', '/volume/a/b'],
    ['a/file', '/volume/a/file'],
    ['a/../a', '/volume/a'],
    ['a/none', 'ENOENT'],
    ['a/file/x', 'ENOTDIR'],
    ['..', 'ESCAPES'],
    ['a/../../outside', 'ESCAPES'],
  ])('%j leads to %s', async (relative, where) => {
    expect(await reach(relative)).toBe(where);
  });

  test('links inside are followed, at any place and of any form', async () => {
    await symlink('a', join(volume, 'relative'));
    await symlink(join(volume, 'a'), join(volume, 'absolute'));
    await symlink('../a/b', join(volume, 'a/up'));
    await symlink('relative/file', join(volume, 'chained'));
    expect(await reach('relative/b')).toBe('/volume/a/b');
    expect(await reach('absolute/b')).toBe('/volume/a/b');
    expect(await reach('a/up')).toBe('/volume/a/b');
    expect(await reach('chained')).toBe('/volume/a/file');
  });

  test.each(['/', '/etc', '../outside', '../../../../etc', 'a/../../outside', '..'])(
    'a link to %s is refused in every component',
    async (target) => {
      await symlink(target, join(volume, 'link'));
      await symlink(target.startsWith('/') ? target : `../${target}`, join(volume, 'a/link'));
      expect(await reach('link')).toBe('ESCAPES');
      expect(await reach('link/b')).toBe('ESCAPES');
      expect(await reach('a/link/b', 0o755)).toBe('ESCAPES');
    },
  );

  test('links in a circle end', async () => {
    await symlink('two', join(volume, 'one'));
    await symlink('one', join(volume, 'two'));
    expect(await reach('one')).toBe('ESCAPES');
  });

  test('a folder whose name begins like the volume’s is outside', async () => {
    await mkdir(join(base, 'volume-2'));
    await symlink(join(base, 'volume-2'), join(volume, 'link'));
    expect(await reach('link')).toBe('ESCAPES');
  });

  test('missing folders are made with the exact mode', async () => {
    const before = process.umask(0o077);
    try {
      expect(await reach('new/deep', 0o2775)).toBe('/volume/new/deep');
    } finally {
      process.umask(before);
    }
    expect((await stat(join(volume, 'new/deep'))).mode & 0o7777).toBe(0o2775);
  });

  test('whoever exchanges a folder for a link meanwhile never leads it outside', async () => {
    const spot = join(volume, 'spot');
    await mkdir(spot);
    await mkdir(join(spot, 'b'));
    await symlink(join(base, 'outside'), join(volume, 'trap'));
    const attack = { goesOn: true };
    const attacker = (async () => {
      while (attack.goesOn) {
        await rename(spot, join(volume, 'aside'));
        await symlink('../outside', spot);
        await unlink(spot);
        await rename(join(volume, 'aside'), spot);
      }
    })();
    const seen = new Set<string>();
    for (let i = 0; i < 300; i++) seen.add(await reach('spot/b'));
    attack.goesOn = false;
    await attacker;
    expect([...seen].filter((each) => each.startsWith('/outside'))).toEqual([]);
    expect(seen.has('/volume/spot/b') || seen.has('/volume/aside/b')).toBe(true);
  });
});

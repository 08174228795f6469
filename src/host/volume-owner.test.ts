import { chmod, lstat, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { belongsToGroup, giveToGroup } from './volume-owner.ts';

const signal = new AbortController().signal;
const GROUP = 4321;
let root: string;
let outside: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'owner-'));
  outside = await mkdtemp(join(tmpdir(), 'outside-'));
});
afterEach(async () => {
  for (const path of [root, outside]) await rm(path, { recursive: true, force: true });
});

const look = async (path: string): Promise<string> => {
  const stats = await lstat(path);
  return `${(stats.mode & 0o7777).toString(8)} ${stats.gid === GROUP ? 'group' : 'other'}`;
};

// Giving files away takes root.
describe.runIf(process.getuid?.() === 0)('a volume for a group', () => {
  test('everything in it, links as links, nothing that they point to', async () => {
    await mkdir(join(root, 'a/b'), { recursive: true });
    await writeFile(join(root, 'a/b/file'), '');
    await chmod(join(root, 'a/b/file'), 0o600);
    await writeFile(join(root, 'a/run'), '');
    await chmod(join(root, 'a/run'), 0o4750);
    await writeFile(join(outside, 'secret'), '');
    await chmod(join(outside, 'secret'), 0o600);
    await symlink(join(outside, 'secret'), join(root, 'link'));
    await symlink(outside, join(root, 'folder'));
    await symlink('nowhere', join(root, 'dangling'));
    let files = 0;
    await giveToGroup(root, { group: GROUP, readOnly: false, signal, onFile: () => void files++ });
    expect(await look(root)).toMatch(/^27[67]. group$/);
    expect(await look(join(root, 'a/b/file'))).toBe('660 group');
    expect(await look(join(root, 'a/run'))).toBe('4770 group');
    expect((await lstat(join(root, 'link'))).gid).toBe(GROUP);
    expect(await look(join(outside, 'secret'))).toBe('600 other');
    expect((await stat(outside)).gid).not.toBe(GROUP);
    expect(files).toBe(8);
  });

  test('read only: the group may look', async () => {
    await writeFile(join(root, 'file'), '');
    await chmod(join(root, 'file'), 0o600);
    await giveToGroup(root, { group: GROUP, readOnly: true, signal });
    expect(await look(join(root, 'file'))).toBe('640 group');
  });

  test.each<[string, number, number, boolean]>([
    ['as it is to be', GROUP, 0o2770, true],
    ['more rights than needed', GROUP, 0o2775, true],
    ['another group', 1, 0o2770, false],
    ['no set-group-ID bit', GROUP, 0o770, false],
    ['too few rights', GROUP, 0o2750, false],
  ])('%s', async (_, group, mode, expected) => {
    await giveToGroup(root, { group, readOnly: false, signal });
    await chmod(root, mode);
    expect(await belongsToGroup(root, GROUP, false)).toBe(expected);
  });

  test('ends when it is told to', async () => {
    await writeFile(join(root, 'file'), '');
    const abort = new AbortController();
    abort.abort(new Error('ends'));
    await expect(giveToGroup(root, { group: GROUP, readOnly: false, signal: abort.signal })).rejects.toThrow(
      'ends',
    );
  });
});

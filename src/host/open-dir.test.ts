import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OpenDir, withDir } from './open-dir.ts';

let top = '';
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'dirs-'));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

describe('OpenDir.below', () => {
  it.each(['../x', 'a/../../x', 'a/link/b', 'a/link', 'a/file/x', 'a/file'])('refuses %s', async (path) => {
    mkdirSync(join(top, 'root/a'), { recursive: true });
    mkdirSync(join(top, 'x/b'), { recursive: true });
    writeFileSync(join(top, 'root/a/file'), '');
    symlinkSync(join(top, 'x'), join(top, 'root/a/link'));
    await expect(OpenDir.below(join(top, 'root'), `${top}/root/${path}`)).rejects.toMatchObject({
      code: 'UNSAFE_PATH',
    });
  });

  it('finds a folder, says undefined where there is none, and follows links to the root itself', async () => {
    mkdirSync(join(top, 'root/a/b'), { recursive: true });
    symlinkSync(join(top, 'root'), join(top, 'alias'));
    expect(await withDir(join(top, 'alias'), join(top, 'alias/a'), (dir) => dir.list())).toEqual(['b']);
    expect(await OpenDir.below(join(top, 'root'), join(top, 'root/a/c/d'))).toBeUndefined();
    expect(await OpenDir.below(join(top, 'none'), join(top, 'none/a'))).toBeUndefined();
  });

  it('stays with the folder that it opened', async () => {
    mkdirSync(join(top, 'root/a'), { recursive: true });
    mkdirSync(join(top, 'other'));
    writeFileSync(join(top, 'other/x'), 'other');
    await withDir(join(top, 'root'), join(top, 'root/a'), async (dir) => {
      renameSync(join(top, 'root/a'), join(top, 'root/b'));
      symlinkSync(join(top, 'other'), join(top, 'root/a'));
      await (await dir.createFile('x', 0o600)).close();
      await dir.unlink('x');
    });
    expect(readdirSync(join(top, 'other'))).toEqual(['x']);
  });

  it.each(['', '.', '..', 'a/b'])('takes no %j for a name', async (name) => {
    await withDir(top, top, async (dir) => expect(() => dir.at(name)).toThrow('not a name'));
  });
});

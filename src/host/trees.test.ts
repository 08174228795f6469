import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeEmptyTree, removeTree } from './trees.ts';

let base: string;
let tree: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'trees-'));
  tree = join(base, 'tree');
  await mkdir(tree);
});
afterEach(() => rm(base, { recursive: true, force: true }));

test('removes files and folders of any mode, and what isn’t there', async () => {
  await mkdir(join(tree, 'a/b/c'), { recursive: true });
  await writeFile(join(tree, 'a/b/file'), 'x');
  await chmod(join(tree, 'a/b/file'), 0);
  await chmod(join(tree, 'a/b'), 0o555);
  expect(await removeTree(tree)).toEqual([]);
  expect(await readdir(base)).toEqual([]);
  expect(await removeTree(tree)).toEqual([]);
  expect(await removeTree(join(base, 'no/such/path'))).toEqual([]);
});

test('links go, what they point to stays', async () => {
  await mkdir(join(base, 'precious'));
  await writeFile(join(base, 'precious/data'), 'kept');
  await symlink(join(base, 'precious'), join(tree, 'folder'));
  await symlink('../precious/data', join(tree, 'file'));
  await symlink('/nowhere', join(tree, 'broken'));
  expect(await removeTree(tree)).toEqual([]);
  expect(await readFile(join(base, 'precious/data'), 'utf8')).toBe('kept');

  await symlink(join(base, 'precious'), tree);
  expect(await removeTree(tree)).toEqual([]);
  expect(await readdir(base)).toEqual(['precious']);
});

test('names that are no UTF-8, and odd ones', async () => {
  await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe, 0x41])]), 'x');
  await mkdir(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x80])]));
  await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x80]), Buffer.from('/in')]), 'x');
  await writeFile(join(tree, '-rf\n *'), 'x');
  expect(await removeTree(tree)).toEqual([]);
  expect(await readdir(base)).toEqual([]);
});

test('folders deeper than any path may be long', async () => {
  // Each step is made from inside the last, so that no path gets too long.
  const script =
    'process.chdir(process.argv[1]); for (let i = 0; i < 2000; i++) { fs.mkdirSync("deep-folder"); process.chdir("deep-folder"); } fs.writeFileSync("f", "")';
  execFileSync(process.execPath, ['-e', script, tree]);
  await mkdir(join(tree, '.removing-0/own'), { recursive: true });
  expect(await removeTree(tree)).toEqual([]);
  expect(await readdir(base)).toEqual([]);
});

test('many entries', async () => {
  await mkdir(join(tree, 'many'));
  await Promise.all(Array.from({ length: 3000 }, (_, i) => writeFile(join(tree, 'many', `f${i}`), '')));
  expect(await removeTree(tree)).toEqual([]);
  expect(await readdir(base)).toEqual([]);
});

test('an aborted signal stops it', async () => {
  await writeFile(join(tree, 'f'), '');
  await expect(removeTree(tree, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
  expect(await readdir(tree)).toEqual(['f']);
});

test('removeEmptyTree keeps everything that has contents, and says so', async () => {
  await mkdir(join(tree, 'vol/c'), { recursive: true });
  await writeFile(join(tree, 'vol/c/0'), '');
  await mkdir(join(tree, 'vol/c/1'));
  await writeFile(join(tree, 'vol/data'), 'precious');
  const blocked = await removeEmptyTree(tree);
  expect(blocked[0]).toEqual({ path: join(tree, 'vol/data'), code: 'ENOTEMPTY' });
  expect(await readdir(join(tree, 'vol'))).toEqual(['data']);
  await rm(join(tree, 'vol/data'));
  expect(await removeEmptyTree(tree)).toEqual([]);
  expect(await readdir(base)).toEqual([]);
});

test('removeEmptyTree follows no link, and takes none away', async () => {
  await mkdir(join(base, 'precious'));
  await symlink(join(base, 'precious'), join(tree, 'link'));
  expect(await removeEmptyTree(tree)).toEqual([{ path: join(tree, 'link'), code: 'ENOTEMPTY' }]);
  expect(await removeEmptyTree(join(tree, 'link'))).toEqual([
    { path: join(tree, 'link'), code: 'ENOTEMPTY' },
  ]);
  expect(await readdir(base)).toEqual(['precious', 'tree']);
});

test('removeEmptyTree moves nothing: what is too deep stays', async () => {
  const deep = Array.from({ length: 150 }, () => 'd');
  await mkdir(join(tree, ...deep), { recursive: true });
  const [blocked] = await removeEmptyTree(tree);
  expect(blocked?.code).toBe('ENAMETOOLONG');
  expect(await readdir(tree)).toEqual(['d']);
  await rm(join(tree, ...deep.slice(0, 100)), { recursive: true });
  expect(await removeEmptyTree(tree)).toEqual([]);
});

test('removeEmptyTree of what isn’t there, and of an empty file', async () => {
  expect(await removeEmptyTree(join(base, 'no/such/path'))).toEqual([]);
  await writeFile(join(tree, 'file'), '');
  expect(await removeEmptyTree(join(tree, 'file'))).toEqual([]);
  expect(await readdir(tree)).toEqual([]);
});

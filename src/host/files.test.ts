import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realPath, replaceLink } from './files.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'files-'));
});
afterEach(() => rm(dir, { recursive: true }));

test('a link is made, kept, turned elsewhere, and takes the place of a file', async () => {
  const link = join(dir, 'link');
  for (const target of ['/one', '/one', '/two']) {
    await replaceLink(target, link);
    expect(await readlink(link)).toBe(target);
  }
  await writeFile(join(dir, 'file'), 'x');
  await replaceLink('/two', join(dir, 'file'));
  expect(await readlink(join(dir, 'file'))).toBe('/two');
  expect(await readdir(dir)).toEqual(['file', 'link']);
});

test('the path without links, or nothing', async () => {
  await writeFile(join(dir, 'file'), '');
  await replaceLink(join(dir, 'file'), join(dir, 'link'));
  expect(await realPath(join(dir, 'link'))).toBe(await realPath(join(dir, 'file')));
  await replaceLink('/no/where', join(dir, 'dead'));
  expect(await realPath(join(dir, 'dead'))).toBeUndefined();
});

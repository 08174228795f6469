import {
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  DirContentError,
  type AtomicDirOptions,
  type DirContent,
  atomicDirSteps,
  contentPath,
  writeAtomicDir,
} from './atomic-dir.ts';

let base: string;
let folder: string;
let serial = 0;
const options = (more: Partial<AtomicDirOptions> = {}): AtomicDirOptions => ({
  now: Date.parse('2026-01-02T15:04:05.678Z'),
  suffix: () => String(serial++),
  ...more,
});
const content = (files: Record<string, string>, mode = 0o644): DirContent =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));
const modeOf = async (path: string): Promise<string> =>
  ((await stat(join(folder, path))).mode & 0o7777).toString(8);

beforeEach(async () => {
  serial = 0;
  base = await mkdtemp(join(tmpdir(), 'atomic-'));
  folder = join(base, 'volume');
  await mkdir(folder);
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** All files below a folder by their path, links to folders followed; hidden entries left out. */
async function readAll(path: string, prefix = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(path)) {
    if (prefix === '' && name.startsWith('..')) continue;
    const at = join(path, name);
    const stats = await stat(at).catch(() => undefined);
    if (stats?.isDirectory() === true) Object.assign(found, await readAll(at, `${prefix}${name}/`));
    else if (stats !== undefined) found[`${prefix}${name}`] = await readFile(at, 'utf8');
  }
  return found;
}

describe('layout', () => {
  test("is upstream's", async () => {
    expect(await writeAtomicDir(folder, content({ key: 'one', 'sub/deep/key': 'two' }), options())).toBe(
      true,
    );
    expect(await readlink(join(folder, '..data'))).toBe('..2026_01_02_15_04_05.0');
    expect(await readlink(join(folder, 'key'))).toBe('..data/key');
    expect(await readlink(join(folder, 'sub'))).toBe('..data/sub');
    expect((await readdir(folder)).sort()).toEqual(['..2026_01_02_15_04_05.0', '..data', 'key', 'sub']);
    expect(await readAll(folder)).toEqual({ key: 'one', 'sub/deep/key': 'two' });
  });

  test('equal content is left alone, other content takes its place', async () => {
    await writeAtomicDir(folder, content({ a: '1', b: '2' }), options());
    expect(await writeAtomicDir(folder, content({ a: '1', b: '2' }), options())).toBe(false);
    expect(await readlink(join(folder, '..data'))).toBe('..2026_01_02_15_04_05.0');
    expect(await writeAtomicDir(folder, content({ a: '1', c: '3' }), options())).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(['..2026_01_02_15_04_05.1', '..data', 'a', 'c']);
    expect(await readAll(folder)).toEqual({ a: '1', c: '3' });
    await writeAtomicDir(folder, content({}), options());
    expect(await readAll(folder)).toEqual({});
  });

  test('modes are exact whatever the umask; a group gets to read', async () => {
    const before = process.umask(0o077);
    try {
      await writeAtomicDir(folder, content({ 'sub/key': 'x' }, 0o600), options());
      expect(await modeOf('sub/key')).toBe('600');
      expect(await modeOf('sub')).toBe('755');
      expect(await modeOf('..data')).toBe('755');
      const owned: DirContent = new Map([['sub/key', { data: Buffer.from('y'), mode: 0o600, owner: 1234 }]]);
      await writeAtomicDir(folder, owned, options({ group: 4321 }));
    } finally {
      process.umask(before);
    }
    expect(await modeOf('sub/key')).toBe('640');
    expect(await stat(join(folder, 'sub/key'))).toMatchObject({ uid: 1234, gid: 4321 });
    expect(await modeOf('sub')).toBe('2755');
    expect(await stat(join(folder, 'sub'))).toMatchObject({ gid: 4321 });
    expect(await modeOf('..data')).toBe('2755');
  });

  test('what stands in the way stays: a mount point of another volume, foreign links and files', async () => {
    await mkdir(join(folder, 'nested'));
    await symlink('/etc/passwd', join(folder, 'foreign'));
    await writeAtomicDir(folder, content({ nested: 'hidden', a: '1' }), options());
    await writeAtomicDir(folder, content({ a: '2' }), options());
    expect((await readdir(folder)).filter((name) => !name.startsWith('..')).sort()).toEqual([
      'a',
      'foreign',
      'nested',
    ]);
  });

  test('removal never follows links', async () => {
    await mkdir(join(base, 'precious'));
    await writeFile(join(base, 'precious/data'), 'kept');
    await symlink('../precious', join(folder, '..2020_01_01_00_00_00.1'));
    await symlink(join(base, 'precious'), join(folder, '..data'));
    await writeAtomicDir(folder, content({ a: '1' }), options());
    expect(await readFile(join(base, 'precious/data'), 'utf8')).toBe('kept');
    expect(await readAll(folder)).toEqual({ a: '1' });
    await chown(folder, 0, 0);
  });
});

test.each([
  ['', /name a file/],
  ['/etc/passwd', /relative/],
  ['../x', /".."/],
  ['a/../../x', /".."/],
  ['..data', /start with/],
  ['..2026_01_02_15_04_05.0/x', /start with/],
  ['./..x', /start with/],
  ['.', /name a file/],
  [`a/${'x'.repeat(256)}`, /255/],
  ['x/'.repeat(2049), /4096/],
  ['a\0b', /NUL/],
])('path %j is refused', async (path, words) => {
  expect(() => contentPath(path)).toThrow(words);
  await expect(writeAtomicDir(folder, content({ [path]: 'x' }), options())).rejects.toThrow(DirContentError);
  expect(await readdir(folder)).toEqual([]);
});

test('a path that is a file and a folder is refused', async () => {
  await expect(writeAtomicDir(folder, content({ a: '1', 'a/b': '2' }), options())).rejects.toThrow(
    /file and a folder/,
  );
});

test('a reader sees the old files or the new, wherever writers are killed; the next writer cleans up', async () => {
  const files = fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'sub/a', 'sub/b', 'deep/er/a'),
    fc.constantFrom('1', '2', ''),
    { noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ files, killAfter: fc.option(fc.nat(14)) }), { minLength: 1, maxLength: 6 }),
      async (writes) => {
        await rm(folder, { recursive: true });
        await mkdir(folder);
        let before: Record<string, string> | undefined;
        const through = async (): Promise<Record<string, string> | undefined> => {
          const target = await readlink(join(folder, '..data')).catch(() => undefined);
          return target === undefined ? undefined : readAll(join(folder, target));
        };
        for (const { files: wanted, killAfter } of writes) {
          let count = 0;
          const steps = atomicDirSteps(folder, content(wanted), options());
          for (;;) {
            const step = await steps.next();
            const seen = await through();
            if (seen !== undefined) expect([before, wanted]).toContainEqual(seen);
            else expect(before).toBeUndefined();
            // What is visible is of one version, though a name may come late or linger without content.
            for (const [path, text] of Object.entries(await readAll(folder))) expect(seen?.[path]).toBe(text);
            if (step.done === true || (killAfter !== null && count++ >= killAfter)) break;
          }
          before = await through();
        }
        const last = writes.at(-1)?.files ?? {};
        await writeAtomicDir(folder, content(last), options());
        expect(await readAll(folder)).toEqual(last);
        const names = await readdir(folder);
        const hidden = names.filter((name) => name.startsWith('..'));
        expect(hidden).toHaveLength(2);
        expect(names.length - 2).toBe(new Set(Object.keys(last).map((path) => path.split('/')[0])).size);
      },
    ),
    { numRuns: 25 },
  );
});

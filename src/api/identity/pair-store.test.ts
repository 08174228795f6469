import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { mkdir, mkdtempDisposable, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { KeyPair } from './key-pair.ts';
import { PairStore } from './pair-store.ts';
import { TestCa } from './testing/test-ca.ts';

interface Bed extends AsyncDisposable {
  dir: string;
  store: PairStore;
  clock: FakeClock;
  pair: (commonName: string) => Promise<KeyPair>;
  put: (name: string, text: string) => Promise<string>;
}

async function bed(): Promise<Bed> {
  const folder = await mkdtempDisposable(join(tmpdir(), 'nodelet-store-'));
  const dir = join(folder.path, 'pki');
  const clock = new FakeClock();
  const ca = await TestCa.make();
  return {
    dir,
    clock,
    store: new PairStore('kubelet-client', { dir, clock, log: silentLogger }),
    pair: (commonName) => ca.issue({ commonName }, { notBefore: 0, notAfter: 1e12 }),
    put: async (name, text) => {
      await mkdir(dir, { recursive: true });
      await writeFile(join(dir, name), text);
      return join(dir, name);
    },
    [Symbol.asyncDispose]: () => folder.remove(),
  };
}

const nameOf = async (store: PairStore): Promise<string | undefined> => (await store.load())?.leaf.commonName;

test('an empty or missing folder holds nothing', async () => {
  await using at = await bed();
  expect(await at.store.load()).toBe(undefined);
});

test('what is saved counts, also twice within a second, and nothing else is left', async () => {
  await using at = await bed();
  await at.store.save(await at.pair('a'));
  await at.store.save(await at.pair('b'));
  expect(await nameOf(at.store)).toBe('b');
  await at.clock.advance(1000);
  await at.store.save(await at.pair('c'));
  expect(await nameOf(at.store)).toBe('c');
  expect(await readdir(at.dir)).toEqual([
    'kubelet-client-2026-01-01-00-00-00.pem',
    'kubelet-client-2026-01-01-00-00-01.pem',
    'kubelet-client-current.pem',
  ]);
  const target = await readlink(at.store.currentPath);
  expect(target).toBe(join(at.dir, 'kubelet-client-2026-01-01-00-00-01.pem'));
  expect((await stat(target)).mode & 0o777).toBe(0o600);
});

test('a pair that doesn’t fit is refused, and the old one stays', async () => {
  await using at = await bed();
  const [a, b] = [await at.pair('a'), await at.pair('b')];
  await at.store.save(a);
  await expect(at.store.save({ cert: b.cert, key: a.key })).rejects.toThrow('does not belong');
  expect(await nameOf(at.store)).toBe('a');
});

test('upstream’s kubelet died while it switched', async () => {
  await using at = await bed();
  const pair = await at.pair('a');
  const file = await at.put('kubelet-client-2025-02-02-00-00-00.pem', pair.cert + pair.key);
  await symlink(file, join(at.dir, 'kubelet-client-updated.pem'));
  expect(await nameOf(at.store)).toBe('a');
  expect(await readdir(at.dir)).toEqual([
    'kubelet-client-2025-02-02-00-00-00.pem',
    'kubelet-client-current.pem',
  ]);
});

test('a broken file: the newest whole pair before it, and others’ files are left alone', async () => {
  await using at = await bed();
  for (const [name, date] of [
    ['old', '2025-01-01'],
    ['new', '2025-02-02'],
  ] as const) {
    const pair = await at.pair(name);
    await at.put(`kubelet-client-${date}-00-00-00.pem`, pair.cert + pair.key);
  }
  const server = await at.pair('server');
  await at.put('kubelet-server-2025-09-09-00-00-00.pem', server.cert + server.key);
  const torn = await at.put('kubelet-client-2025-03-03-00-00-00.pem', (await at.pair('torn')).cert);
  await symlink(torn, at.store.currentPath);
  expect(await nameOf(at.store)).toBe('new');
  expect(await readlink(at.store.currentPath)).toContain('2025-02-02');
});

test('a link that was taken away on purpose stays away', async () => {
  await using at = await bed();
  const pair = await at.pair('a');
  await at.put('kubelet-client-2025-02-02-00-00-00.pem', pair.cert + pair.key);
  expect(await at.store.load()).toBe(undefined);
});

test('certificate and key apart, as old kubelets had them', async () => {
  await using at = await bed();
  const pair = await at.pair('a');
  await at.put('kubelet-client.crt', pair.cert);
  await at.put('kubelet-client.key', pair.key);
  expect(await nameOf(at.store)).toBe('a');
});

test('the folder must be absolute', () => {
  const parts = { dir: 'pki', clock: new FakeClock(), log: silentLogger };
  expect(() => new PairStore('kubelet-client', parts)).toThrow('--cert-dir "pki": must be an absolute path');
});

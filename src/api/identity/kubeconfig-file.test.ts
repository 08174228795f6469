import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KubeconfigError } from './errors.ts';
import { readKubeconfig, writeKubeconfig } from './kubeconfig-file.ts';
import { TestCa } from './testing/test-ca.ts';

const folder = (): ReturnType<typeof mkdtempDisposable> =>
  mkdtempDisposable(join(tmpdir(), 'nodelet-kubeconfig-'));

const config = (user: object, cluster: object = { server: 'https://s:6443' }): string =>
  JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster }],
    users: [{ name: 'u', user }],
  });

test('no file', async () => {
  await using dir = await folder();
  expect(await readKubeconfig(join(dir.path, 'x'))).toBe(undefined);
});

test.each([
  ['server: [secret', 'not YAML'],
  ['', 'not a kubeconfig'],
  ['current-context: c', 'contexts has no entry named "c"'],
  [config({}, {}), 'the cluster has no server'],
  [config({}, { server: 5 }), 'server must be text'],
])('%j: %s', async (text, words) => {
  await using dir = await folder();
  const path = join(dir.path, 'x');
  await writeFile(path, text);
  const failure = await readKubeconfig(path).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(KubeconfigError);
  expect(String(failure)).toContain(`kubeconfig ${path}: ${words}`);
  expect(String(failure)).not.toContain('secret');
});

test('paths are relative to the file; data wins over files', async () => {
  await using dir = await folder();
  const path = join(dir.path, 'x');
  const ca = await TestCa.make();
  const pair = await ca.issue({ commonName: 'a' }, { notBefore: 0, notAfter: 1e12 });
  await writeFile(join(dir.path, 'c.pem'), pair.cert);
  await writeFile(
    path,
    config(
      { 'client-certificate': 'c.pem', 'client-key-data': Buffer.from(pair.key).toString('base64') },
      { server: 'https://s', 'certificate-authority': 'ca.crt' },
    ),
  );
  expect(await readKubeconfig(path)).toMatchObject({
    cluster: { server: 'https://s', 'certificate-authority': join(dir.path, 'ca.crt') },
    client: { kind: 'pair', certPath: join(dir.path, 'c.pem'), pair: { leaf: { commonName: 'a' } } },
  });
});

test.each([
  ['a file that is not there', { 'client-certificate': 'no.pem', 'client-key': 'no.pem' }, 'does not exist'],
  ['half of a pair', { 'client-key': 'x' }, 'without client-certificate'],
  ['no certificate', { 'client-certificate': 'x', 'client-key': 'x' }, 'no certificate in PEM'],
])('%s is a broken certificate', async (_name, user, words) => {
  await using dir = await folder();
  const path = join(dir.path, 'x');
  await writeFile(path, config(user));
  const read = await readKubeconfig(path);
  expect(read?.client.kind).toBe('broken');
  expect(read?.client.kind === 'broken' && read.client.error.message).toContain(words);
});

test('a token is none of our business', async () => {
  await using dir = await folder();
  const path = join(dir.path, 'x');
  await writeFile(path, config({ token: 't' }));
  expect((await readKubeconfig(path))?.client).toEqual({ kind: 'other' });
});

test('what is written reads back', async () => {
  await using dir = await folder();
  const path = join(dir.path, 'sub/kubelet.conf');
  const cluster = { server: 'https://s', 'certificate-authority-data': 'QUJD', 'tls-server-name': 'k' };
  await writeKubeconfig(path, cluster, '/pki/current.pem');
  expect((await readKubeconfig(path))?.cluster).toEqual(cluster);
  expect(await readFile(path, 'utf8')).toContain('client-key: /pki/current.pem');
});

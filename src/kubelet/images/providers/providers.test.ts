import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { recordingLogger } from '../testing/image-bed.ts';
import { makePod } from '../../pod/testing/pod-bed.ts';
import { loadCredentialProviders } from './providers.ts';
import type { CredentialProviders } from './providers.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'providers-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function program(name: string, text: string): Promise<void> {
  await writeFile(join(dir, name), `#!/bin/sh\n${text}\n`);
  await chmod(join(dir, name), 0o755);
}

const config = (...names: string[]): Promise<void> =>
  writeFile(
    join(dir, 'config.yaml'),
    JSON.stringify({
      apiVersion: 'kubelet.config.k8s.io/v1',
      kind: 'CredentialProviderConfig',
      providers: names.map((name) => ({
        name,
        apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
        matchImages: ['acme.example'],
        defaultCacheDuration: '0s',
        args: ['--for', 'kubelet'],
        env: [{ name: 'OUT', value: join(dir, `${name}.asked`) }],
      })),
    }),
  );

const said: string[] = [];
const load = (configPath = join(dir, 'config.yaml')): Promise<CredentialProviders> =>
  loadCredentialProviders({
    configPath,
    binDir: dir,
    accounts: undefined,
    clock: new FakeClock(),
    logger: recordingLogger(said),
  });

const good =
  'cat >"$OUT"; echo "$@" >>"$OUT"\n' +
  `echo '{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1",` +
  `"cacheKeyType":"Registry","auth":{"acme.example":{"username":"me","password":"secret-1"}}}'`;

test('programs are asked by standard input, with their arguments and variables; one that fails gives none', async () => {
  await program('good', good);
  await program('bad', 'echo secret-2; exit 3');
  await config('good', 'bad');
  const providers = await load(dir);
  const found = await providers.lookup(makePod('a', { containers: [{}] }), 'acme.example/team/app');
  expect(found.map((each) => each.authConfig())).toEqual([{ username: 'me', password: 'secret-1' }]);
  const lines = (await readFile(join(dir, 'good.asked'), 'utf8')).trim();
  expect(lines).toContain('"image":"acme.example/team/app"');
  expect(lines).toContain('--for kubelet');
  expect(JSON.stringify(said)).toContain('the image credential provider gave no login');
  expect(JSON.stringify(said)).not.toContain('secret-');
});

test('what is missing is named: the program, the file, files in the folder', async () => {
  await config('nobody');
  await expect(load()).rejects.toThrow(`there is no executable file ${join(dir, 'nobody')}`);
  await expect(load(join(dir, 'none.yaml'))).rejects.toThrow('there is no such file');
  await rm(join(dir, 'config.yaml'));
  await expect(load(dir)).rejects.toThrow('has no *.json, *.yaml or *.yml file');
});

import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppliedManifests } from './applied.ts';

let dir: string;
let applied: AppliedManifests;

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'applied-')), 'applied');
  applied = new AppliedManifests(dir, 'node');
});
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true }));

const object = (kind: string, name: string, more: object): string =>
  JSON.stringify({ apiVersion: 'v1', kind, metadata: { name }, ...more });
const pod = object('Pod', 'web', { spec: { containers: [{ name: 'c', image: 'i' }] } });
const all = [pod, object('Secret', 'web', { stringData: { p: 's3cret' } }), object('ConfigMap', 'web', {})];

test('objects come before the pods, each in a file that root alone may read', async () => {
  expect(await applied.apply(all.join('\n---\n'))).toEqual([
    { kind: 'Secret', namespace: 'default', name: 'web', result: 'created' },
    { kind: 'ConfigMap', namespace: 'default', name: 'web', result: 'created' },
    { kind: 'Pod', namespace: 'default', name: 'web', result: 'created' },
  ]);
  const files = ['ConfigMap_default_web.json', 'Secret_default_web.json', 'default_web.json'];
  expect((await readdir(dir)).sort()).toEqual(files);
  for (const file of files) expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  // What was applied last is what counts, in the form in which an API server would keep it.
  expect(JSON.parse(await readFile(join(dir, 'Secret_default_web.json'), 'utf8'))).toMatchObject({
    data: { p: Buffer.from('s3cret').toString('base64') },
  });
  expect((await applied.apply(all.join('\n---\n'))).map(({ result }) => result)).toEqual(
    Array(3).fill('unchanged'),
  );
});

test('all or nothing; a fault tells no value of a Secret', async () => {
  const bad = object('Secret', 'bad', { data: { p: 's3cret!' } });
  const error = await applied.apply(`${all.join('\n---\n')}\n---\n${bad}`).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: 'nothing was applied: document 4: data.p: must be text in base64' });
  await expect(readdir(dir)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(applied.apply(object('Job', 'j', {}))).rejects.toThrow(
    'nothing was applied: document 1: kind: "Job": a Job is not run by a node: write the Pod that it would make',
  );
});

test('each is removed by its own kind and name', async () => {
  await applied.apply(all.join('\n---\n'));
  expect(await applied.removeObject('Secret', 'default', 'web')).toBe(true);
  expect(await applied.removeObject('Secret', 'default', 'web')).toBe(false);
  expect(await applied.remove('default', 'web-node')).toBe(true);
  expect(await readdir(dir)).toEqual(['ConfigMap_default_web.json']);
});

test('the longest names fit into a file’s', async () => {
  const name = 'x'.repeat(252);
  const text = [`${name}a`, `${name}b`].map((each) => object('ConfigMap', each, {})).join('\n---\n');
  await applied.apply(text);
  expect(await readdir(dir)).toHaveLength(2);
  expect(await applied.removeObject('ConfigMap', 'default', `${name}b`)).toBe(true);
});

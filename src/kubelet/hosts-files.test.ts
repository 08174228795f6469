import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentPod, Container, PodSpec } from '#lib/kube/types.ts';
import { ManagedHostsFiles } from './hosts-files.ts';
import { podDir } from './paths.ts';

let dir: string;
let file: string;
let files: ManagedHostsFiles;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hosts-'));
  const paths = { root: dir, podLogs: join(dir, 'l'), containerLogs: join(dir, 'c') };
  await mkdir(podDir(paths, 'u'), { recursive: true });
  await writeFile(join(dir, 'node-hosts'), '127.0.0.1 localhost\n');
  file = join(podDir(paths, 'u'), 'etc-hosts');
  files = new ManagedHostsFiles(paths, 'cluster.local', join(dir, 'node-hosts'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const pod = (spec: Partial<PodSpec> = {}): AgentPod => ({
  metadata: { name: 'web', namespace: 'ns', uid: 'u' },
  spec: { containers: [], ...spec },
});
const at = (mountPath: string): Container => ({ name: 'c', volumeMounts: [{ name: 'v', mountPath }] });
const plain: Container = { name: 'c' };

test('it is written with mode 0644 whatever the umask, and found again as the same file', async () => {
  expect(await files.prepare(pod(), plain, ['10.0.0.5'])).toBe(file);
  const first = await stat(file);
  expect(first.mode & 0o7777).toBe(0o644);
  expect(await readFile(file, 'utf8')).toContain('\n10.0.0.5\tweb\n');
  await files.prepare(pod(), plain, ['10.0.0.5']);
  expect((await stat(file)).mtimeMs).toBe(first.mtimeMs);
  await files.prepare(pod(), plain, ['10.0.0.6']);
  expect((await stat(file)).ino).toBe(first.ino);
  expect(await readFile(file, 'utf8')).toContain('\n10.0.0.6\tweb\n');
});

test('what a container wrote into it, however much, goes at the next start', async () => {
  await files.prepare(pod(), plain, ['10.0.0.5']);
  const good = await readFile(file, 'utf8');
  await writeFile(file, 'x'.repeat(10_000_000));
  await files.prepare(pod(), plain, ['10.0.0.5']);
  expect(await readFile(file, 'utf8')).toBe(good);
  await writeFile(file, 'x'.repeat(good.length));
  await files.prepare(pod(), plain, ['10.0.0.5']);
  expect(await readFile(file, 'utf8')).toBe(good);
});

test('a link in its place is refused, and what it leads to untouched', async () => {
  const victim = join(dir, 'victim');
  await writeFile(victim, 'precious');
  await symlink(victim, file);
  await expect(files.prepare(pod(), plain, ['10.0.0.5'])).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  expect(await readFile(victim, 'utf8')).toBe('precious');
});

test.each(['/etc/hosts', 'etc/hosts', '/etc//hosts/'])('a container that mounts %s', async (path) => {
  expect(await files.prepare(pod(), at(path), ['10.0.0.5'])).toBeUndefined();
});

test('a mount beside it doesn’t count; a pod without an address has none', async () => {
  expect(await files.prepare(pod(), at('/etc/hosts.d'), ['10.0.0.5'])).toBe(file);
  expect(await files.prepare(pod(), plain, [])).toBeUndefined();
});

test('the node’s network: the node’s file, even without an address', async () => {
  expect(await files.prepare(pod({ hostNetwork: true }), plain, [])).toBe(file);
  expect(await readFile(file, 'utf8')).toBe(
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n',
  );
  await rm(join(dir, 'node-hosts'));
  await expect(files.prepare(pod({ hostNetwork: true }), plain, [])).rejects.toMatchObject({
    code: 'CreateContainerConfigError',
  });
});

test('a pod whose folder is gone', async () => {
  await rm(join(dir, 'pods'), { recursive: true });
  await expect(files.prepare(pod(), plain, ['10.0.0.5'])).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

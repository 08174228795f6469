/** ConfigMaps and Secrets of manifests, in standalone mode: what pods get of them, and when. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { PodView } from '#server/view.ts';
import { container, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode();

const object = (kind: 'ConfigMap' | 'Secret', name: string, values: Record<string, string>): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind,
    metadata: { name },
    [kind === 'Secret' ? 'stringData' : 'data']: values,
  });
const inside = async (pod: string, ...command: string[]): Promise<string> => {
  const { stdout, stderr, code } = await node.agent.cli('exec', pod, '--', ...command);
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return stdout;
};
/** Milliseconds until the file in the pod holds the text. */
async function untilFile(pod: string, path: string, text: string): Promise<void> {
  const view = await node.agent.pod(pod);
  const volume = join(node.agent.rootDir, 'pods', view?.pod.metadata?.uid ?? '', 'volumes', path);
  await node.agent.waitFor(async () => (await readFile(volume, 'utf8')) === text, 1000);
}
const waitsFor = (reason: string) => (view: PodView) => statusOf(view)?.state?.waiting?.reason === reason;

test('variables and volumes; a change reaches the files within a second', async () => {
  const main = container('main', undefined, {
    envFrom: [{ prefix: 'CFG_', configMapRef: { name: 'settings' } }],
    env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } }],
    volumeMounts: [
      { name: 'settings', mountPath: '/settings' },
      { name: 'login', mountPath: '/login' },
    ],
  });
  const pod = podManifest('uses', [main], {
    volumes: [
      { name: 'settings', configMap: { name: 'settings' } },
      { name: 'login', secret: { secretName: 'login', defaultMode: 0o400 } },
    ],
  });
  await node.agent.write('uses.yaml', pod, object('ConfigMap', 'settings', { level: 'debug' }));
  await node.agent.write('login.yaml', object('Secret', 'login', { password: 'CANARY-1' }));
  const before = await node.agent.waitForPod('uses', isRunning);
  expect(await inside('uses', 'env')).toMatch(/^CFG_level=debug\n(.*\n)*PASSWORD=CANARY-1$/m);
  expect(await inside('uses', 'cat', '/settings/level', '/login/password')).toBe('debugCANARY-1');
  expect(await inside('uses', 'stat', '-Lc', '%a', '/login/password')).toBe('400\n');

  await node.agent.write('login.yaml', object('Secret', 'login', { password: 'CANARY-2' }));
  await untilFile('uses', 'kubernetes.io~secret/login/password', 'CANARY-2');
  await node.agent.write('uses.yaml', pod, object('ConfigMap', 'settings', { level: 'info' }));
  await untilFile('uses', 'kubernetes.io~configmap/settings/level', 'info');
  expect(await inside('uses', 'cat', '/settings/level', '/login/password')).toBe('infoCANARY-2');
  const after = await node.agent.waitForPod('uses', isRunning);
  expect(statusOf(after)?.containerID).toBe(statusOf(before)?.containerID);

  // Over a restart nothing happens to the pod, and changes made meanwhile arrive.
  await node.agent.stop();
  await node.agent.write('login.yaml', object('Secret', 'login', { password: 'CANARY-3' }));
  await node.agent.restart();
  await node.agent.waitFor(async () => (await inside('uses', 'cat', '/login/password')) === 'CANARY-3');
  const again = await node.agent.waitForPod('uses', isRunning);
  expect(statusOf(again)?.containerID).toBe(statusOf(before)?.containerID);

  // Gone: what runs keeps its files, a new container is refused.
  await node.agent.remove('login.yaml');
  await node.agent.waitFor(async () => (await node.agent.cli('get', 'secrets')).stdout === '');
  expect(await inside('uses', 'cat', '/login/password')).toBe('CANARY-3');
  const id = statusOf(again)?.containerID?.replace('containerd://', '') ?? '';
  await node.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', id);
  await node.agent.waitForPod(
    'uses',
    (view) =>
      statusOf(view)?.state?.running === undefined &&
      view.waits.some(({ message }) => message.includes('secret "login" not found')),
  );
  await node.agent.write('login.yaml', object('Secret', 'login', { password: 'CANARY-4' }));
  await node.agent.waitForPod('uses', (view) => statusOf(view)?.restartCount === 1 && isRunning(view));
  expect(await inside('uses', 'cat', '/login/password')).toBe('CANARY-4');
});

test('what is missing is waited for, and used within a second once it is there', async () => {
  const env = [{ name: 'V', valueFrom: { configMapKeyRef: { name: 'late', key: 'v' } } }];
  const mount = container('main', undefined, { volumeMounts: [{ name: 'v', mountPath: '/v' }] });
  const volumes = [{ name: 'v', configMap: { name: 'late' } }];
  await node.agent.write('late.yaml', podManifest('late', [container('main', undefined, { env })]));
  await node.agent.write('mount.yaml', podManifest('mount', [mount], { volumes }));
  const late = await node.agent.waitForPod('late', waitsFor('CreateContainerConfigError'));
  expect(statusOf(late)?.state?.waiting?.message).toBe('configmap "late" not found');
  const event = await node.agent.waitFor(async () =>
    (await node.agent.client.events({ namespace: 'default', name: 'mount-n1' })).find(
      ({ reason }) => reason === 'FailedMount',
    ),
  );
  expect(event.message).toBe('MountVolume.SetUp failed for volume "v" : configmap "late" not found');
  const written = Date.now();
  await node.agent.write('object.yaml', object('ConfigMap', 'late', { v: 'here' }));
  // The blocked container's start itself takes a moment on a busy machine: what counts is when it was begun.
  const created = await node.agent.waitForPod('late', isRunning);
  expect(await inside('late', 'sh', '-c', 'echo $V')).toBe('here\n');
  const started = Date.parse(statusOf(created)?.state?.running?.startedAt ?? '');
  expect(started - written).toBeLessThan(1500);
  await node.agent.waitForPod('mount', isRunning);
  expect(await inside('mount', 'cat', '/v/v')).toBe('here');
});

test('apply keeps them for root alone; get shows keys; delete takes them away', async () => {
  const env = [{ name: 'P', valueFrom: { secretKeyRef: { name: 'applied', key: 'p' } } }];
  const manifest = [
    podManifest('applied', [container('main', undefined, { env })]),
    object('Secret', 'applied', { p: 'CANARY-applied' }),
  ].join('\n---\n');
  const applied = await node.agent.cliWithInput(manifest, 'apply', '-f', '-');
  expect(applied).toEqual({ code: 0, stdout: 'secret/applied created\npod/applied created\n', stderr: '' });
  await node.agent.waitForPod('applied', isRunning);
  expect(await inside('applied', 'sh', '-c', 'echo $P')).toBe('CANARY-applied\n');
  for (const folder of ['applied', 'root/static-manifests/applied', 'root/static-manifests/manifests']) {
    const path = join(node.agent.dir, folder);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    for (const file of await readdir(path)) expect((await stat(join(path, file))).mode & 0o077).toBe(0);
  }
  await node.agent.restart();
  const secrets = await node.agent.cli('get', 'secrets');
  expect(secrets.stdout).toMatch(
    /^NAME +TYPE +KEYS +FROM\napplied +Opaque +p +\S+Secret_default_applied\.json\nlogin /,
  );
  expect((await node.agent.cli('get', 'secret', 'applied', '-o', 'yaml')).stdout).not.toContain('CANARY');
  const job = JSON.stringify({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'j' } });
  expect((await node.agent.cliWithInput(job, 'apply', '-f', '-')).stderr).toContain(
    'a Job is not run by a node',
  );
  expect((await node.agent.cli('delete', 'configmap', 'late')).stderr).toMatch(
    /configmap default\/late was not applied but comes from .*object\.yaml: remove it there/,
  );
  expect((await node.agent.cli('delete', 'secret', 'applied')).stdout).toBe('secret "applied" deleted\n');
  await node.agent.waitFor(async () => !(await node.agent.cli('get', 'secrets')).stdout.includes('applied'));
  expect((await node.agent.cli('delete', 'secret', 'applied')).stderr).toContain('not found');
  expect((await node.agent.cli('delete', 'pod', 'applied')).code).toBe(0);
});

test('problems: broken and doubled objects, and kinds that a node doesn’t run', async () => {
  await node.agent.write('object.yaml', object('ConfigMap', 'late', { v: 'here', 'a/b': 'x' }));
  await node.agent.write('other.yaml', object('ConfigMap', 'late', { v: 'other' }));
  await node.agent.write('service.yaml', 'apiVersion: v1\nkind: Service\nmetadata: {name: s}\n');
  const problems = await node.agent.waitFor(async () => {
    const found = await node.agent.client.problems();
    return found.length === 3 && found;
  });
  expect(problems.map(({ field, message, lastGoodRuns }) => [field, message, lastGoodRuns])).toEqual([
    ['data["a/b"]', "must be at most 253 letters, digits, '-', '_' and '.'", true],
    ['kind', 'kind Service is not served from manifests', false],
    [
      'metadata.name',
      `${join(node.agent.manifests, 'object.yaml')} defines the same ConfigMap and comes first: only that one counts`,
      false,
    ],
  ]);
  expect(await inside('mount', 'cat', '/v/v')).toBe('here');
});

test('no log line, event, status or file of the pods tells a secret', async () => {
  const told = [
    await node.agent.log(),
    JSON.stringify(await node.agent.client.events()),
    JSON.stringify(await node.agent.pods()),
    JSON.stringify(await node.agent.client.problems()),
  ].join('\n');
  expect(told.length).toBeGreaterThan(5000);
  expect(told).not.toContain('CANARY');
});

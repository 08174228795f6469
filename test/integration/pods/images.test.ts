import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAgent } from '#test/bed/agent.ts';
import type { TestAgent } from '#test/bed/agent.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { container, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import { startRegistry } from '#test/bed/registry.ts';
import type { TestRegistry } from '#test/bed/registry.ts';
import { busyboxImage } from '../../../scripts/image/images.ts';

const login = { username: 'user', password: 'secret' };
let registry: TestRegistry;
let containerd: TestContainerd;
let agent: TestAgent;
beforeAll(async () => {
  registry = await startRegistry({ auth: login });
  containerd = await startContainerd({ registryConfig: registry.configDir });
  agent = await startAgent({ containerd });
});
afterAll(async () => {
  await agent?.destroy();
  await containerd?.destroy();
  await registry?.destroy();
});

const waitingFor = (reason: string) => (view: Parameters<typeof statusOf>[0]) =>
  statusOf(view)?.state?.waiting?.reason === reason;

test('an image that is not there: ErrImagePull, ImagePullBackOff, and on once it is', async () => {
  const image = `${registry.host}/late:1`;
  const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  const folder = join(agent.rootDir, 'pull-secrets/default');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'bed.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }), {
    mode: 0o600,
  });
  await agent.write(
    'late.yaml',
    podManifest('late', [container('main', undefined, { image })], { imagePullSecrets: [{ name: 'bed' }] }),
  );
  const failed = await agent.waitForPod('late', waitingFor('ErrImagePull'));
  expect(statusOf(failed)?.state?.waiting?.message).toContain(image);
  const backOff = await agent.waitForPod('late', waitingFor('ImagePullBackOff'));
  expect(statusOf(backOff)?.state?.waiting?.message).toMatch(/Back-off pulling image ".*late:1"/);
  expect(backOff.pod.status?.phase).toBe('Pending');
  const why = await agent.cli('explain', 'pod', 'late');
  expect(why.stdout).toMatch(/image .*late:1: (ImagePullBackOff|ErrImagePull): .*Next try/s);
  const reasons = (await agent.client.events({ namespace: 'default', name: 'late-n1' })).map(
    ({ reason }) => reason,
  );
  expect(reasons).toEqual(expect.arrayContaining(['Pulling', 'Failed', 'BackOff']));
  await registry.push(await busyboxImage('x/late:1'));
  const view = await agent.waitForPod('late', isRunning);
  expect(statusOf(view)?.restartCount).toBe(0);
  expect(statusOf(view)?.imageID).toContain(`${registry.host}/late@sha256:`);
});

test('without the pull secret the registry refuses, and the reason says so', async () => {
  await registry.push(await busyboxImage('x/private:1'));
  const image = `${registry.host}/private:1`;
  await agent.write('private.yaml', podManifest('private', [container('main', undefined, { image })]));
  const view = await agent.waitForPod('private', waitingFor('ErrImagePull'));
  expect(statusOf(view)?.state?.waiting?.message).toMatch(
    /authorization failed|unauthorized|no basic auth|pull access denied/i,
  );
});

test('a pull secret that is a Secret of a manifest', async () => {
  await registry.push(await busyboxImage('x/kept:1'));
  const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  const secret = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'kept' },
    type: 'kubernetes.io/dockerconfigjson',
    stringData: { '.dockerconfigjson': JSON.stringify({ auths: { [registry.host]: { auth } } }) },
  });
  const image = `${registry.host}/kept:1`;
  const spec = { imagePullSecrets: [{ name: 'kept' }] };
  await agent.write(
    'kept.yaml',
    secret,
    podManifest('kept', [container('main', undefined, { image })], spec),
  );
  await agent.waitForPod('kept', isRunning);
  const events = await agent.client.events({ namespace: 'default', name: 'kept-n1' });
  expect(events.filter(({ type }) => type === 'Warning')).toEqual([]);
});

test('imagePullPolicy Never and an image name that can’t be', async () => {
  await agent.write(
    'never.yaml',
    podManifest('never', [
      container('main', undefined, { image: 'nodelet.local/no-such:1', imagePullPolicy: 'Never' }),
    ]),
  );
  const never = await agent.waitForPod('never', waitingFor('ErrImageNeverPull'));
  expect(statusOf(never)?.state?.waiting?.message).toContain('is not present with pull policy of Never');
  await agent.write(
    'invalid.yaml',
    podManifest('invalid', [container('main', undefined, { image: 'UPPER/Case:1' })]),
  );
  await agent.waitForPod('invalid', waitingFor('InvalidImageName'));
});

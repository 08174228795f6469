/** What is secret stays out of logs at the highest verbosity, off the disk, and out of what the agent tells. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { container, isRunning, podManifest } from '#test/bed/manifests.ts';
import { mountTable } from '#test/bed/inventory.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { bootstrapToken } from '#test/control-plane/set-up.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden } from './expectations.ts';

const canaries = {
  env: 'CANARY-env-5f1c9d',
  envFrom: 'CANARY-envfrom-77ab01',
  file: 'CANARY-volume-c0ffee',
  edited: 'CANARY-edited-d1ce55',
  pull: 'CANARY-pull-abad1d',
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describeFakeOnly('secrets', 'faults that lead to talk', () => {
  const node = useClusterNode({
    identity: 'bootstrap',
    flags: ['--v=6'],
    plane: { fake: { injectServiceAccountToken: true } },
  });
  const { secrets } = testResources;
  const secret = (name: string, data: Record<string, string>, type = 'Opaque'): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type,
    metadata: { name, namespace: 'default' },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
  });
  const mine = { user: 'system:node:n1' } as const;
  const found: string[] = [];

  afterAll(() => expect(forbidden(node.fake.recorder)).toEqual([]));

  test('pods take them, and faults of all kinds give occasion to talk', async () => {
    const { client } = node.plane;
    await client.create(secrets, secret('login', { env: canaries.env, file: canaries.file }));
    await client.create(secrets, secret('all', { CANARY_NAME: canaries.envFrom }));
    const auths = {
      'registry.invalid': { username: 'u', password: canaries.pull, auth: base64(`u:${canaries.pull}`) },
    };
    await client.create(
      secrets,
      secret('pull', { '.dockerconfigjson': JSON.stringify({ auths }) }, 'kubernetes.io/dockerconfigjson'),
    );
    const volumes = [{ name: 'login', secret: { secretName: 'login' } }];
    const volumeMounts = [{ name: 'login', mountPath: '/login' }];
    const valueFrom = (key: string) => ({ secretKeyRef: { name: 'login', key } });
    await node.createPod(
      podManifest(
        'user',
        [
          container('main', undefined, {
            env: [
              { name: 'PASSWORD', valueFrom: valueFrom('env') },
              { name: 'MORE', value: '$(PASSWORD)-more' },
            ],
            envFrom: [{ secretRef: { name: 'all' } }],
            volumeMounts,
          }),
        ],
        { volumes },
      ),
    );
    // Failures whose words come near them.
    await node.createPod(
      podManifest('wrong-key', [
        container('main', undefined, { env: [{ name: 'P', valueFrom: valueFrom('nothing') }] }),
      ]),
    );
    await node.createPod(
      podManifest('wrong-command', [
        container('main', undefined, {
          env: [{ name: 'P', valueFrom: valueFrom('env') }],
          command: ['/no/such', '$(P)'],
        }),
      ]),
    );
    await node.createPod(
      podManifest(
        'no-image',
        [container('main', undefined, { image: 'registry.invalid/app:1', imagePullPolicy: 'Always' })],
        {
          imagePullSecrets: [{ name: 'pull' }],
        },
      ),
    );
    await node.waitForPod('user', isRunning);
    const lost = node.fake.misbehave({ resource: 'secrets', ...mine }, { type: 'lose-answer' }, 2);
    node.fake.dropWatches({ resource: 'secrets', ...mine }, true);
    await client.replace(secrets, secret('login', { env: canaries.env, file: canaries.edited }));
    await node.agent.waitFor(
      async () => (await readVolume('user', 'login', 'file')) === canaries.edited,
      30_000,
    );
    lost.stop();
    node.fake.misbehave({ resource: 'serviceaccounts/token', ...mine }, { type: 'refuse', status: 500 }, 2);
    await node.createPod(podManifest('second', [container('main')]));
    await node.waitForPod('second', isRunning);
    await node.agent.kill9();
    await node.agent.restart();
    await wait(2000);
    await node.waitForPod('user', isRunning);
    for (const name of await readdir(join(node.agent.rootDir, 'pods'))) {
      const tokens = join(node.agent.rootDir, 'pods', name, 'volumes/kubernetes.io~projected');
      for (const volume of await readdir(tokens).catch(() => [])) {
        found.push((await readFile(join(tokens, volume, 'token'), 'utf8')).trim());
      }
    }
    expect(found.length).toBeGreaterThanOrEqual(1);
  });

  async function readVolume(pod: string, volume: string, file: string): Promise<string> {
    const uid = (await node.pod(pod))?.metadata?.uid ?? '';
    return readFile(
      join(node.agent.rootDir, 'pods', uid, 'volumes/kubernetes.io~secret', volume, file),
      'utf8',
    );
  }

  /** The words to look for. */
  async function words(): Promise<string[]> {
    const pair = await readFile(join(node.kubeconfig, '../pki/kubelet-client-current.pem'), 'utf8');
    const key = pair.slice(pair.indexOf('PRIVATE KEY'), pair.lastIndexOf('-----END'));
    const lines = key.split('\n').filter((line) => /^[A-Za-z0-9+/=]{40,}$/.test(line));
    expect(lines.length).toBeGreaterThan(0);
    const plain = Object.values(canaries);
    return [
      ...plain,
      ...plain.map(base64),
      base64(`u:${canaries.pull}`),
      bootstrapToken.secret,
      ...lines,
      ...found,
    ];
  }

  const holding = async (text: string): Promise<string[]> =>
    (await words()).filter((word) => text.includes(word));

  test('the log at verbosity 6 has none', async () => {
    const log = await node.agent.log();
    expect(log).toMatch(/"level":20/);
    expect(await holding(log)).toEqual([]);
  });

  test('events, statuses and what nodelet shows have none', async () => {
    const { client } = node.plane;
    const shown = await Promise.all([
      client.list(testResources.events),
      client.list(testResources.pods),
      client.list(testResources.nodes),
      ...[
        ['get', 'pods', '-o', 'yaml'],
        ['get', 'events'],
        ['describe', 'pod', 'user'],
        ['explain', 'no-image'],
        ['get', 'nodes', '-o', 'json'],
      ].map((command) => node.agent.cli(...command)),
    ]);
    expect(await holding(JSON.stringify(shown))).toEqual([]);
  });

  test('no file on a disk has one, but for the keys’ own', async () => {
    // Volumes of pods that are in memory.
    const memory = (await mountTable()).flatMap(({ point, type }) =>
      type === 'tmpfs' && point.includes('/volumes/') ? [point] : [],
    );
    const files: string[] = [];
    const walk = async (folder: string): Promise<void> => {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory() && !memory.includes(path)) await walk(path);
        else if (entry.isFile()) files.push(path);
      }
    };
    await walk(node.agent.dir);
    expect(files.some((path) => path.endsWith('nodelet.json'))).toBe(true);
    const telling: [string, string[]][] = [];
    for (const path of files) {
      const words = await holding(await readFile(path, 'latin1'));
      if (words.length > 0) telling.push([path, words]);
    }
    expect(telling).toEqual([]);
  });
});

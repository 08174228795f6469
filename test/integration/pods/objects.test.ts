/** Pods that use ConfigMaps, Secrets, tokens and services, on a real runtime; the objects come from the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMachine } from '#compose/machine.ts';
import { type PodParts, composePods, defaultPodSettings } from '#compose/pod-parts.ts';
import type { AgentOptions } from '#config/agent-options.ts';
import { PodChanges } from '#cri/events.ts';
import { type RuntimeConnection, connect } from '#cri/grpc/connect.ts';
import { systemClock } from '#host/clock.ts';
import { mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import { LocalObjects } from '#kubelet/objects/local-objects.ts';
import type { KubeClient } from '#lib/kube/client.ts';
import { withPodDefaults } from '#lib/kube/defaults.ts';
import type { AgentPod, ConfigMap, PodSpec, Secret, Service } from '#lib/kube/types.ts';
import { type Logger, silentLogger } from '#lib/logger.ts';
import { ensureRshared } from '#volumes/shared-root.ts';
import { removeCgroups } from '#test/bed/bed.ts';
import { type TestContainerd, startContainerd } from '#test/bed/containerd.ts';

let containerd: TestContainerd;
let connection: RuntimeConnection;
let dir: string;
let parts: PodParts;
const objects = new LocalObjects();
const stopping = new AbortController();
const held = { configMaps: new Map<string, ConfigMap>(), secrets: new Map<string, Secret>() };
const pods = new Map<string, AgentPod>();
const said: string[] = [];
let tokens = 0;

const setConfigMap = (name: string, data: Record<string, string> | undefined): void => {
  if (data === undefined) held.configMaps.delete(name);
  else held.configMaps.set(name, { metadata: { namespace: 'ns', name }, data });
  publish();
};
const setSecret = (name: string, stringData: Record<string, string>): void => {
  held.secrets.set(name, { metadata: { namespace: 'ns', name }, type: 'Opaque', stringData });
  publish();
};
const publish = (): void =>
  objects.replace({ configMaps: [...held.configMaps.values()], secrets: [...held.secrets.values()] });

const services: Service[] = [
  {
    metadata: { namespace: 'default', name: 'kubernetes' },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] },
  },
];

beforeAll(async () => {
  containerd = await startContainerd();
  connection = await connect(containerd.endpoint, { clock: systemClock });
  dir = await mkdtemp(join(tmpdir(), 'objects-'));
  const paths = {
    root: join(dir, 'root'),
    podLogs: join(dir, 'log/pods'),
    containerLogs: join(dir, 'log/c'),
  };
  await ensureRshared(paths.root, AbortSignal.timeout(10_000));
  const options = {
    nodeName: 'node-1',
    nodeIps: ['192.0.2.10'],
    rootDir: paths.root,
    cgroupRoot: '/',
    cpuCfsQuota: true,
    cpuCfsQuotaPeriodMs: 100,
    clusterDns: [],
    clusterDomain: '',
    serializeImagePulls: false,
    resolvConf: undefined,
  } as unknown as AgentOptions;
  const machine = await readMachine(options);
  const log: Logger = {
    ...silentLogger,
    debug: (fields, message) => void said.push(JSON.stringify(fields) + message),
    info: (fields, message) => void said.push(JSON.stringify(fields) + message),
    warn: (fields, message) => void said.push(JSON.stringify(fields) + message),
    error: (fields, message) => void said.push(JSON.stringify(fields) + message),
    child: () => log,
  };
  const create: KubeClient['create'] = (_resource, _at, object) => {
    tokens++;
    return Promise.resolve({ ...(object as object), status: { token: `CANARY-token-${tokens}` } } as never);
  };
  publish();
  parts = composePods({
    options,
    settings: defaultPodSettings,
    connection,
    machine,
    driver: 'cgroupfs',
    nodeAllocatable: {},
    paths,
    clock: systemClock,
    log,
    supplies: {
      objects,
      client: { create },
      services: {
        hasSynced: true,
        list: () => services,
        synced: () => Promise.resolve(),
        onChange: () => undefined,
      },
    },
  });
  await parts.cgroups.start();
  const changes = new PodChanges({
    runtime: connection.runtime,
    clock: systemClock,
    logger: silentLogger,
    handlers: { onChange: (uid) => parts.workers.markDirty(uid), onReconnect: () => undefined },
  });
  void changes.run(stopping.signal);
});

afterAll(async () => {
  try {
    parts.workers.setDesired([]);
    await until(() => parts.workers.snapshots().length === 0, 60_000);
  } finally {
    stopping.abort();
    await parts.workers.stop();
    parts.images.stop();
    connection.close();
    for (const { mountPoint } of mountsBelow(await readMounts(), dir))
      await unmount(mountPoint, { detach: true });
    await containerd.destroy();
    await removeCgroups('kubepods');
    await rm(dir, { recursive: true, force: true });
  }
});

async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) {
      const seen = parts.workers.snapshots().map(({ context, waits }) => ({ status: context.status, waits }));
      throw new Error(`not within ${timeoutMs} ms: ${JSON.stringify(seen)}`);
    }
    await wait(20);
  }
}

function run(name: string, spec: PodSpec, labels: Record<string, string> = {}): AgentPod {
  const pod = withPodDefaults({
    metadata: {
      name,
      namespace: 'ns',
      uid: `uid-${name}`,
      labels,
      annotations: { 'kubernetes.io/config.source': 'api' },
    },
    spec: { serviceAccountName: 'robot', terminationGracePeriodSeconds: 0, ...spec },
  }) as AgentPod;
  for (const container of pod.spec.containers) {
    container.image = containerd.image;
    container.imagePullPolicy = 'Never';
    container.command ??= ['sleep', '1000'];
  }
  pods.set(name, pod);
  parts.workers.setDesired([...pods.values()]);
  return pod;
}

const snapshot = (name: string) =>
  parts.workers.snapshots().find(({ context }) => context.pod.metadata.name === name)?.context;
const containerOf = (name: string, container = 'c') =>
  snapshot(name)?.status?.containerStatuses?.find((each) => each.name === container);
const runs = (name: string, container = 'c'): boolean =>
  containerOf(name, container)?.state?.running !== undefined;

async function exec(name: string, ...cmd: string[]): Promise<string> {
  const id = containerOf(name)?.containerID?.replace('containerd://', '') ?? '';
  const { stdout, stderr, exitCode } = await connection.runtime.execSync(id, cmd, 10);
  if (exitCode !== 0) throw new Error(`${cmd.join(' ')}: ${Buffer.from(stderr).toString()}`);
  return Buffer.from(stdout).toString();
}

const messages = (name: string, reason: string): string[] =>
  parts.events
    .list({ namespace: 'ns', name })
    .flatMap((event) => (event.reason === reason ? [event.message ?? ''] : []));

describe('a pod that uses everything', () => {
  test('sees it, read-only, and follows changes within a second', async () => {
    setConfigMap('settings', { 'app.conf': 'one', LEVEL: 'debug' });
    setSecret('login', { user: 'me', password: 'CANARY-password' });
    run(
      'all',
      {
        securityContext: { runAsUser: 1000, fsGroup: 2000 },
        containers: [
          {
            name: 'c',
            resources: { limits: { memory: '64Mi' } },
            envFrom: [{ prefix: 'CFG_', configMapRef: { name: 'settings' } }],
            env: [
              { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
              { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              {
                name: 'MEM',
                valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } },
              },
              { name: 'URL', value: 'https://$(KUBERNETES_SERVICE_HOST)/$(CFG_LEVEL)' },
            ],
            volumeMounts: [
              { name: 'settings', mountPath: '/settings' },
              { name: 'settings', mountPath: '/one.conf', subPath: 'app.conf' },
              { name: 'login', mountPath: '/login' },
              { name: 'access', mountPath: '/access' },
              { name: 'self', mountPath: '/settings/self' },
            ],
          },
        ],
        volumes: [
          { name: 'settings', configMap: { name: 'settings' } },
          { name: 'login', secret: { secretName: 'login', defaultMode: 0o400 } },
          { name: 'access', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
          {
            name: 'self',
            downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
          },
        ],
      },
      { app: 'web' },
    );
    await until(() => runs('all'));
    const env = await exec('all', 'env');
    expect(env).toContain('CFG_LEVEL=debug\n');
    expect(env).toContain('PASSWORD=CANARY-password\n');
    expect(env).toContain('MEM=64\n');
    expect(env).toContain('URL=https://10.96.0.1/debug\n');
    expect(env).toMatch(/^IP=10\./m);
    expect(await exec('all', 'cat', '/settings/app.conf', '/one.conf', '/login/user')).toBe('oneoneme');
    expect(await exec('all', 'cat', '/access/token')).toMatch(/^CANARY-token-/);
    expect(await exec('all', 'cat', '/settings/self/labels')).toBe('app="web"');
    expect(await exec('all', 'stat', '-Lc', '%a %u %g', '/access/token')).toBe('640 1000 2000\n');
    await expect(exec('all', 'touch', '/settings/x')).rejects.toThrow(/Read-only/);

    setConfigMap('settings', { 'app.conf': 'two', LEVEL: 'debug', extra: 'new' });
    setSecret('login', { user: 'you', password: 'CANARY-password' });
    await until(async () => (await exec('all', 'cat', '/settings/app.conf')) === 'two', 1000);
    await until(async () => (await exec('all', 'cat', '/login/user')) === 'you', 1000);
    expect(await exec('all', 'cat', '/settings/extra', '/one.conf')).toBe('newone');
    expect(await exec('all', 'cat', '/settings/self/labels')).toBe('app="web"');
    expect(containerOf('all')?.restartCount).toBe(0);
    expect(tokens).toBe(1);
  });
});

test('what is missing holds up one container, or the volumes, and is picked up within a second', async () => {
  run('late', {
    containers: [
      { name: 'c', env: [{ name: 'V', valueFrom: { configMapKeyRef: { name: 'late', key: 'v' } } }] },
      { name: 'd' },
    ],
  });
  run('mount', {
    containers: [{ name: 'c', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
    volumes: [{ name: 'v', configMap: { name: 'late' } }],
  });
  await until(() => runs('late', 'd'));
  await until(() => messages('mount', 'FailedMount').length > 0);
  expect(containerOf('late')?.state?.waiting).toEqual({
    reason: 'CreateContainerConfigError',
    message: 'configmap "late" not found',
  });
  expect(messages('late', 'Failed')).toEqual(['Error: configmap "late" not found']);
  expect(messages('mount', 'FailedMount')).toEqual([
    'MountVolume.SetUp failed for volume "v" : configmap "late" not found',
  ]);
  // Until the pauses between tries are longer than a second.
  await wait(4000);
  setConfigMap('late', { v: 'here' });
  const start = Date.now();
  await until(() => runs('late') && runs('mount'), 3000);
  expect(Date.now() - start).toBeLessThan(2000);
  expect(await exec('late', 'env')).toContain('V=here\n');
  expect(await exec('mount', 'cat', '/v/v')).toBe('here');
});

test('variables from a file that an init container wrote', async () => {
  run('file', {
    initContainers: [
      {
        name: 'i',
        image: containerd.image,
        imagePullPolicy: 'Never',
        command: ['sh', '-c', `echo "TOKEN='made here'" > /out/env; ln -s /etc/passwd /out/link`],
        volumeMounts: [{ name: 'out', mountPath: '/out' }],
      },
    ],
    containers: [
      {
        name: 'c',
        env: [{ name: 'T', valueFrom: { fileKeyRef: { volumeName: 'out', path: 'env', key: 'TOKEN' } } }],
      },
      {
        name: 'thief',
        env: [{ name: 'T', valueFrom: { fileKeyRef: { volumeName: 'out', path: 'link', key: 'root' } } }],
      },
    ],
    volumes: [{ name: 'out', emptyDir: {} }],
  });
  await until(() => runs('file'));
  expect(await exec('file', 'env')).toContain('T=made here\n');
  await until(() => containerOf('file', 'thief')?.state?.waiting?.reason === 'CreateContainerConfigError');
  expect(containerOf('file', 'thief')?.state?.waiting?.message).toContain('leads out of');
});

test('no log line, event or status tells a secret', () => {
  const told = [
    ...said,
    JSON.stringify(parts.events.list()),
    JSON.stringify(parts.workers.snapshots().map(({ context, waits }) => [context.status, waits])),
  ].join('\n');
  expect(told.length).toBeGreaterThan(1000);
  expect(told).not.toContain('CANARY');
  expect(told).not.toContain(Buffer.from('CANARY-password').toString('base64'));
});

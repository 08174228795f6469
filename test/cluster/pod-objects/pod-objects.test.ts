/** ConfigMaps, Secrets, tokens and RuntimeClasses of pods on a node of a cluster. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiObject } from '#lib/kube/client.ts';
import type { ConfigMap, Event, Pod, PodSpec, Secret } from '#lib/kube/types.ts';
import { container } from '#test/bed/manifests.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly, useControlPlane } from '#test/control-plane/start.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { Kubelet } from './kubelet.ts';

const plane = useControlPlane({ fake: { injectServiceAccountToken: true } });
let kubelet: Kubelet;

beforeAll(async () => {
  kubelet = await Kubelet.join(plane(), 'n1');
});
afterAll(() => kubelet.destroy());

const namespace = 'default';
const setConfigMap = async (name: string, data: Record<string, string>): Promise<void> => {
  const { client } = plane();
  const object: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
  const known = await client.find<ApiObject>(testResources.configMaps, { name });
  if (known === undefined) await client.create(testResources.configMaps, object);
  else await client.replace(testResources.configMaps, { ...known, data }, { name });
};
const setSecret = async (name: string, stringData: Record<string, string>): Promise<void> => {
  const object: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData };
  await plane().client.create(testResources.secrets, object);
};

const run = (name: string, spec: Partial<PodSpec>, labels: Record<string, string> = {}): Promise<Pod> =>
  createPodOn(
    plane().client,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels },
      spec: { terminationGracePeriodSeconds: 1, containers: [container('main')], ...spec },
    },
    'n1',
  );
const podNow = async (name: string): Promise<Pod> => plane().client.get<Pod>(testResources.pods, { name });
const runs = async (name: string, of = 'main'): Promise<boolean> =>
  (await podNow(name)).status?.containerStatuses?.find((each) => each.name === of)?.state?.running !==
  undefined;
const messages = async (pod: string, reason: string): Promise<string[]> => {
  const { items } = await plane().client.list<Event>(testResources.events, { namespace });
  return items.flatMap((event) =>
    event.involvedObject.name === pod && event.reason === reason ? [event.message ?? ''] : [],
  );
};
const mounts = (...volumes: string[]) => volumes.map((name) => ({ name, mountPath: `/${name}` }));

test('hosts file and DNS; the pod and the node are told that there is no cluster DNS', async () => {
  const pod = await run('named', {
    hostname: 'db',
    subdomain: 'sub',
    hostAliases: [{ ip: '192.0.2.99', hostnames: ['elsewhere'] }],
  });
  await eventually(() => runs('named'));
  const uid = pod.metadata?.uid ?? '';
  const ip = (await podNow('named')).status?.podIP ?? '';
  const hosts = await readFile(join(kubelet.dir, 'root/pods', uid, 'etc-hosts'), 'utf8');
  expect(hosts).toMatch(/^# Kubernetes-managed hosts file\.\n/);
  expect(hosts).toContain(`\n${ip}\tdb.sub.default.svc.\tdb\n`);
  expect(hosts).toContain('\n\n# Entries added by HostAliases.\n192.0.2.99\telsewhere\n');
  const words =
    'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. ' +
    'Falling back to "Default" policy.';
  await eventually(async () => (await messages('named', 'MissingClusterDNS')).length > 0);
  expect(await messages('named', 'MissingClusterDNS')).toEqual([`pod: "named_default(${uid})". ${words}`]);
  await eventually(async () => (await messages('n1', 'MissingClusterDNS')).includes(words));
});

describe('a pod of the cluster', () => {
  let uid: string;
  const file = (kind: string, volume: string, path: string): Promise<string> =>
    kubelet.volumeFile(uid, `kubernetes.io~${kind}`, volume, path);

  test('gets its objects, its account’s token, and the API server’s address', async () => {
    await setConfigMap('settings', { level: 'debug' });
    await setSecret('login', { password: 'CANARY-password' });
    const pod = await run(
      'all',
      {
        containers: [
          container(
            'main',
            'test "$LEVEL" = debug && test "$PASSWORD" = CANARY-password && test -n "$KUBERNETES_SERVICE_HOST" || exit 1; ' +
              'test -s /var/run/secrets/kubernetes.io/serviceaccount/token || exit 2; ' +
              'test "$(cat /settings/level)" = debug || exit 3; sleep 1000',
            {
              env: [
                { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'level' } } },
                { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
              ],
              volumeMounts: mounts('settings', 'login', 'self'),
            },
          ),
        ],
        volumes: [
          { name: 'settings', configMap: { name: 'settings' } },
          { name: 'login', secret: { secretName: 'login' } },
          {
            name: 'self',
            downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
          },
        ],
      },
      { app: 'one' },
    );
    uid = pod.metadata?.uid ?? '';
    await eventually(() => runs('all'));
    expect(await file('secret', 'login', 'password')).toBe('CANARY-password');
    expect(await file('downward-api', 'self', 'labels')).toBe('app="one"');
    const access = pod.spec?.volumes?.find(({ projected }) => projected !== undefined)?.name ?? '';
    expect((await file('projected', access, 'token')).split('.')).toHaveLength(3);
    expect(await file('projected', access, 'namespace')).toBe('default');
  });

  test('its volumes follow within a second', async () => {
    await setConfigMap('settings', { level: 'info' });
    await eventually(async () => (await file('configmap', 'settings', 'level')) === 'info', 3000);
    const labels = { metadata: { labels: { app: 'two' } } };
    await plane().client.patch(testResources.pods, { name: 'all' }, labels, 'merge');
    await eventually(async () => (await file('downward-api', 'self', 'labels')) === 'app="two"', 3000);
  });

  test('an agent that comes back while the API server is away leaves it alone, and catches up', async () => {
    const before = (await podNow('all')).status?.containerStatuses?.[0];
    await kubelet.end('SIGKILL');
    await setConfigMap('settings', { level: 'late' });
    await plane().stop();
    await kubelet.start();
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(await file('configmap', 'settings', 'level')).toBe('info');
    await plane().start();
    await eventually(async () => (await file('configmap', 'settings', 'level')) === 'late');
    const after = (await podNow('all')).status?.containerStatuses?.[0];
    expect(after?.containerID).toBe(before?.containerID);
    expect(after?.restartCount).toBe(0);
    expect(await messages('all', 'FailedMount')).toEqual([]);
  });
});

test('what is missing is picked up within a second', async () => {
  const env = [{ name: 'V', valueFrom: { configMapKeyRef: { name: 'late', key: 'v' } } }];
  await run('env', { containers: [container('main', undefined, { env }), container('other')] });
  await run('mount', {
    containers: [container('main', undefined, { volumeMounts: mounts('v') })],
    volumes: [{ name: 'v', configMap: { name: 'late' } }],
  });
  await eventually(() => runs('env', 'other'));
  await eventually(async () => (await messages('mount', 'FailedMount')).length > 0);
  expect(await messages('mount', 'FailedMount')).toEqual([
    'MountVolume.SetUp failed for volume "v" : configmap "late" not found',
  ]);
  const waiting = await eventually(
    async () =>
      (await podNow('env')).status?.containerStatuses?.find(({ name }) => name === 'main')?.state?.waiting,
  );
  expect(waiting).toEqual({
    reason: 'CreateContainerConfigError',
    message: 'configmap "late" not found',
  });
  await new Promise((resolve) => setTimeout(resolve, 4000));
  await setConfigMap('late', { v: 'x' });
  await eventually(async () => (await runs('env')) && (await runs('mount')), 10_000);
});

const runtimeClasses = { group: 'node.k8s.io', version: 'v1', plural: 'runtimeclasses', namespaced: false };
const createClass = (name: string, handler: string): Promise<ApiObject> =>
  plane().client.create(runtimeClasses, {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name },
    handler,
  });

test('a RuntimeClass’s handler is used', async () => {
  await createClass('special', 'runc');
  await run('classed', { runtimeClassName: 'special' });
  await eventually(() => runs('classed'));
  await createClass('broken', 'no-such-handler');
  await run('unclassed', { runtimeClassName: 'broken' });
  await eventually(async () => (await messages('unclassed', 'FailedCreatePodSandBox')).length > 0);
  expect((await messages('unclassed', 'FailedCreatePodSandBox')).join()).toContain('no-such-handler');
});

describeFakeOnly('a RuntimeClass', 'a real API server refuses a pod whose class is missing', () => {
  test('that is missing is waited for', async () => {
    await run('early', { runtimeClassName: 'later' });
    await eventually(async () => (await messages('early', 'FailedCreatePodSandBox')).length > 0);
    expect(await messages('early', 'FailedCreatePodSandBox')).toEqual([
      'Failed to create pod sandbox: runtimeclass.node.k8s.io "later" not found',
    ]);
    await createClass('later', 'runc');
    await eventually(() => runs('early'), 10_000);
  });
});

test('a pull secret that is missing is told, and the image is looked for all the same', async () => {
  await run('pull', { imagePullSecrets: [{ name: 'none' }] });
  await eventually(() => runs('pull'));
  const image = 'localhost:1/none:1';
  await run('no-pull', {
    imagePullSecrets: [{ name: 'none' }],
    containers: [container('main', undefined, { image })],
  });
  await eventually(async () => (await messages('no-pull', 'FailedToRetrieveImagePullSecret')).length > 0);
  expect((await messages('no-pull', 'FailedToRetrieveImagePullSecret'))[0]).toContain('(none)');
  await eventually(async () => (await messages('no-pull', 'Failed')).length > 0);
});

test('no secret and no token is in the log', async () => {
  const log = await kubelet.log();
  expect(log.length).toBeGreaterThan(1000);
  expect(log).not.toContain('CANARY');
  expect(log).not.toContain(Buffer.from('CANARY-password').toString('base64'));
  expect(log).not.toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]+/);
});

import { describe, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { bind, createPodOn } from '#test/control-plane/actions.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useControlPlane } from '#test/control-plane/start.ts';
import { barePod } from '../objects.ts';

// The same assertions on both control planes: where they hold on the real one, the fake is faithful.
const plane = useControlPlane();
const { pods, configMaps, leases, secrets, services, namespaces } = testResources;

const namesOf = (items: { metadata?: { name?: string } }[]): unknown[] =>
  items.map(({ metadata }) => metadata?.name);

describe('create', () => {
  test('fills in what a node relies on', async () => {
    const pod = await plane().client.create<Pod>(
      pods,
      barePod({
        containers: [
          {
            name: 'main',
            image: 'nodelet.local/busybox:1',
            resources: { requests: { cpu: '1' } },
            livenessProbe: { httpGet: { port: 80 } },
            ports: [{ containerPort: 80 }],
          },
        ],
        volumes: [{ name: 'v' }],
      }),
    );
    expect(pod).toMatchObject({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'default', generation: 1 },
      spec: {
        restartPolicy: 'Always',
        dnsPolicy: 'ClusterFirst',
        terminationGracePeriodSeconds: 30,
        enableServiceLinks: true,
        serviceAccountName: 'default',
        serviceAccount: 'default',
        schedulerName: 'default-scheduler',
        securityContext: {},
        priority: 0,
        preemptionPolicy: 'PreemptLowerPriority',
        volumes: [{ name: 'v', emptyDir: {} }],
        tolerations: [
          {
            key: 'node.kubernetes.io/not-ready',
            operator: 'Exists',
            effect: 'NoExecute',
            tolerationSeconds: 300,
          },
          {
            key: 'node.kubernetes.io/unreachable',
            operator: 'Exists',
            effect: 'NoExecute',
            tolerationSeconds: 300,
          },
        ],
        containers: [
          {
            imagePullPolicy: 'IfNotPresent',
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            ports: [{ containerPort: 80, protocol: 'TCP' }],
            livenessProbe: {
              httpGet: { path: '/', port: 80, scheme: 'HTTP' },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
          },
        ],
      },
    });
    expect(pod.status).toEqual({ phase: 'Pending', qosClass: 'Burstable' });
    expect(pod.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(pod.metadata?.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Number(pod.metadata?.resourceVersion)).toBeGreaterThan(0);
    expect(pod.spec?.nodeName).toBeUndefined();
  });

  test('names: given, generated, missing, taken, bad', async () => {
    const { client } = plane();
    const generated = await client.create<Pod>(pods, barePod({}, { name: '', generateName: 'gen-' }));
    expect(generated.metadata?.name).toMatch(/^gen-[a-z0-9]{5}$/);
    await expect(client.create(pods, { ...barePod(), metadata: {} })).rejects.toMatchObject({
      status: 422,
      reason: 'Invalid',
    });
    const again = barePod({}, { name: generated.metadata?.name ?? '' });
    await expect(client.create(pods, again)).rejects.toMatchObject({ status: 409, reason: 'AlreadyExists' });
    await expect(client.create(pods, barePod({}, { name: 'Not_A_Name' }))).rejects.toMatchObject({
      status: 422,
    });
    await expect(client.create(pods, barePod({}, { namespace: 'nowhere' }))).rejects.toMatchObject({
      status: 404,
      message: 'namespaces "nowhere" not found',
    });
    await expect(client.create(pods, { ...barePod(), kind: 'Service' })).rejects.toMatchObject({
      status: 400,
    });
    const versioned = barePod({}, { name: 'versioned', resourceVersion: '1' });
    await expect(client.create(pods, versioned)).rejects.toMatchObject({
      status: 500,
      message: 'resourceVersion should not be set on objects to be created',
    });
  });

  test('secrets and services', async () => {
    const { client } = plane();
    const secret = await client.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'plain' },
      stringData: { a: 'b' },
    });
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'Yg==' } });
    expect(secret).not.toHaveProperty('stringData');
    const service = await client.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { ports: [{ port: 80 }] },
    });
    expect(service).toMatchObject({
      spec: {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ipFamilyPolicy: 'SingleStack',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      },
    });
    expect((service as unknown as { spec: { clusterIP: string } }).spec.clusterIP).toMatch(/^10\.0\.0\.\d+$/);
    expect(await client.get(services, { name: 'kubernetes' })).toMatchObject({
      spec: { clusterIP: '10.0.0.1' },
    });
  });
});

describe('read', () => {
  test('what is not there', async () => {
    await expect(plane().client.get(pods, { name: 'nobody' })).rejects.toMatchObject({
      status: 404,
      reason: 'NotFound',
      message: 'pods "nobody" not found',
    });
    await expect(
      plane().client.get(leases, { name: 'nobody', namespace: 'kube-node-lease' }),
    ).rejects.toMatchObject({ message: 'leases.coordination.k8s.io "nobody" not found' });
  });

  test('lists: selectors, items without their kind, pages of one state', async () => {
    const { client } = plane();
    for (const [name, tier] of Object.entries({ 'sel-a': 'x', 'sel-b': 'y', 'sel-c': 'x' })) {
      await client.create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, labels: { tier, app: 'sel' } },
      });
    }
    const labelled = (labelSelector: string) =>
      client.list(configMaps, { namespace: 'default', labelSelector });
    const all = await labelled('app=sel');
    expect(all.items[0]).not.toHaveProperty('kind');
    expect(namesOf(all.items)).toEqual(['sel-a', 'sel-b', 'sel-c']);
    expect(namesOf((await labelled('app=sel,tier!=x')).items)).toEqual(['sel-b']);
    expect(namesOf((await labelled('app,tier in (x,z)')).items)).toEqual(['sel-a', 'sel-c']);
    expect(namesOf((await labelled('app,!tier')).items)).toEqual([]);
    const byName = await client.list(configMaps, {
      namespace: 'default',
      fieldSelector: 'metadata.name=sel-b',
    });
    expect(namesOf(byName.items)).toEqual(['sel-b']);

    const first = await client.list(configMaps, { namespace: 'default', labelSelector: 'app=sel', limit: 2 });
    await client.delete(configMaps, { name: 'sel-c' });
    const second = await client.list(configMaps, {
      namespace: 'default',
      labelSelector: 'app=sel',
      limit: 2,
      continueFrom: first.continue!,
    });
    expect([...namesOf(first.items), ...namesOf(second.items)]).toEqual(['sel-a', 'sel-b', 'sel-c']);
    expect(second.continue).toBeUndefined();
    expect(second.resourceVersion).toBe(first.resourceVersion);
    await expect(
      client.list(configMaps, { namespace: 'default', fieldSelector: 'spec.nodeName=1' }),
    ).rejects.toMatchObject({ status: 400 });
    const withAddress = await client.list(services, { fieldSelector: 'spec.clusterIP!=None' });
    expect(namesOf(withAddress.items)).toContain('kubernetes');
    const headless = await client.list(services, { fieldSelector: 'spec.clusterIP=None' });
    expect(headless.items).toEqual([]);
    await expect(client.list(pods, { continueFrom: 'nonsense', limit: 2 })).rejects.toMatchObject({
      status: 400,
    });
  });

  test('a version that the server has not reached', async () => {
    const { resourceVersion } = await plane().client.list(namespaces);
    const far = `${Number(resourceVersion) + 1_000_000}`;
    await expect(plane().client.list(pods, { resourceVersion: far })).rejects.toMatchObject({ status: 504 });
    await expect(plane().client.list(pods, { resourceVersion: 'nonsense' })).rejects.toMatchObject({
      status: 400,
    });
  });
});

describe('update', () => {
  test('conflicts, and kinds that demand a version', async () => {
    const { client } = plane();
    const first = await client.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conflict' },
    });
    await client.replace(configMaps, { ...first, data: { a: '1' } });
    await expect(client.replace(configMaps, { ...first, data: { a: '2' } })).rejects.toMatchObject({
      status: 409,
      reason: 'Conflict',
    });
    const unversioned = { ...first, metadata: { name: 'conflict', namespace: 'default' }, data: { a: '3' } };
    expect(await client.replace(configMaps, unversioned)).toMatchObject({ data: { a: '3' } });
    const otherUid = { ...unversioned, metadata: { ...unversioned.metadata, uid: 'other' } };
    await expect(client.replace(configMaps, otherUid)).rejects.toMatchObject({ status: 409 });

    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l', namespace: 'default' },
    };
    const made = await client.create(leases, lease);
    expect(made.metadata?.generation).toBeUndefined();
    await expect(client.replace(leases, lease)).rejects.toMatchObject({ status: 422 });
  });

  test('nothing changes: the version stays', async () => {
    const { client } = plane();
    const pod = await client.create<Pod>(pods, barePod());
    const name = pod.metadata?.name ?? '';
    const again = await client.patch<Pod>(pods, { name }, { metadata: { labels: {} } });
    expect(again.metadata?.resourceVersion).toBe(pod.metadata?.resourceVersion);
    const status = await client.patch<Pod>(
      pods,
      { name, subresource: 'status' },
      { status: { phase: 'Pending' } },
    );
    expect(status.metadata?.resourceVersion).toBe(pod.metadata?.resourceVersion);
  });

  test("a pod's spec: generation, and what never changes", async () => {
    const { client } = plane();
    const { metadata } = await client.create<Pod>(pods, barePod());
    const name = metadata?.name ?? '';
    const image = (value: string) => ({ spec: { containers: [{ name: 'main', image: value }] } });
    const changed = await client.patch<Pod>(pods, { name }, image('nodelet.local/busybox:2'));
    expect(changed).toMatchObject({ metadata: { generation: 2 }, spec: { containers: [{ name: 'main' }] } });
    const labelled = await client.patch<Pod>(pods, { name }, { metadata: { labels: { a: 'b' } } });
    expect(labelled.metadata?.generation).toBe(2);
    for (const spec of [{ hostNetwork: true }, { nodeName: 'n' }, { restartPolicy: 'Never' }]) {
      await expect(client.patch(pods, { name }, { spec })).rejects.toMatchObject({ status: 422 });
    }
    const resources = { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '1' } } }] } };
    await expect(client.patch(pods, { name }, resources)).rejects.toMatchObject({ status: 422 });
    // The status has a door of its own.
    const through = await client.patch<Pod>(pods, { name }, { status: { phase: 'Running' } });
    expect(through.status?.phase).toBe('Pending');
  });

  test('a patch of a type that nobody knows', async () => {
    const { name = '' } = (await plane().client.create<Pod>(pods, barePod())).metadata ?? {};
    const path = `/api/v1/namespaces/default/pods/${name}`;
    expect(await plane().client.raw('PATCH', path, {}, 'application/json')).toMatchObject({ status: 415 });
  });
});

describe("a pod's status", () => {
  test('merges as a node writes it', async () => {
    const { client } = plane();
    const pod = await createPodOn(client, barePod(), 'status-node');
    const at = { name: pod.metadata?.name ?? '', subresource: 'status' };
    const time = '2024-01-01T00:00:00Z';
    const condition = (type: string, status: string) => ({ type, status, lastTransitionTime: time });
    await client.patch(pods, at, {
      metadata: { uid: pod.metadata?.uid },
      status: {
        phase: 'Running',
        hostIP: '192.0.2.10',
        hostIPs: [{ ip: '192.0.2.10' }],
        podIP: '10.77.0.2',
        podIPs: [{ ip: '10.77.0.2' }],
        conditions: [condition('Ready', 'False'), condition('Initialized', 'True')],
        containerStatuses: [
          { name: 'main', image: 'a', imageID: 'a', ready: false, restartCount: 0, state: { running: {} } },
        ],
      },
    });
    const next = await client.patch<Pod>(pods, at, {
      spec: { hostNetwork: true },
      status: {
        podIP: '10.77.0.3',
        podIPs: [{ ip: '10.77.0.3' }, { $patch: 'delete', ip: '10.77.0.2' }],
        conditions: [condition('Ready', 'True'), { $patch: 'delete', type: 'Initialized' }],
        containerStatuses: [
          { name: 'main', image: 'b', imageID: 'b', ready: true, restartCount: 1, state: { running: {} } },
        ],
      },
    });
    expect(next.status).toMatchObject({
      phase: 'Running',
      qosClass: 'BestEffort',
      hostIP: '192.0.2.10',
      podIP: '10.77.0.3',
      podIPs: [{ ip: '10.77.0.3' }],
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'main', image: 'b', ready: true, restartCount: 1 }],
    });
    expect(next.status?.conditions).toHaveLength(1);
    expect(next.spec?.hostNetwork).toBeUndefined();
    expect(next.metadata?.generation).toBe(1);
    // Not a conflict: that is what a whole update with another UID gets.
    const uid = '00000000-0000-4000-8000-000000000000';
    await expect(
      client.patch(pods, at, { metadata: { uid }, status: { phase: 'Failed' } }),
    ).rejects.toMatchObject({ status: 422, reason: 'Invalid' });
    const whole = { ...next, metadata: { ...next.metadata, uid } };
    await expect(client.replace(pods, whole, at)).rejects.toMatchObject({ status: 409, reason: 'Conflict' });
    const unkeyed = { status: { conditions: [{ status: 'True' }] } };
    await expect(client.patch(pods, at, unkeyed)).rejects.toMatchObject({ status: 500 });
  });

  test('what never restarts never runs again', async () => {
    const { client } = plane();
    const pod = await createPodOn(client, barePod({ restartPolicy: 'Never' }), 'status-node');
    const at = { name: pod.metadata?.name ?? '', subresource: 'status' };
    const container = (state: object) => ({
      status: {
        containerStatuses: [{ name: 'main', image: 'a', imageID: 'a', ready: false, restartCount: 0, state }],
      },
    });
    await client.patch(pods, at, container({ terminated: { exitCode: 1 } }));
    await expect(client.patch(pods, at, container({ running: {} }))).rejects.toMatchObject({ status: 422 });
  });
});

describe('binding', () => {
  test('once, and never to another node', async () => {
    const { client } = plane();
    const pod = await client.create<Pod>(pods, barePod());
    await bind(client, pod, 'bind-node');
    const bound = await client.get<Pod>(pods, { name: pod.metadata?.name ?? '' });
    expect(bound.spec?.nodeName).toBe('bind-node');
    expect(bound.status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
    await expect(bind(client, pod, 'other')).rejects.toMatchObject({ status: 409 });
  });
});

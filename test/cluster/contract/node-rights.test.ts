import { beforeAll, describe, expect, test } from 'vitest';
import type { Node, Pod, PodSpec } from '#lib/kube/types.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import type { TestClient } from '#test/control-plane/client.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useControlPlane } from '#test/control-plane/start.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { barePod } from '../objects.ts';

const plane = useControlPlane();
const r = testResources;
const refused = { status: 403, reason: 'Forbidden' };

let node: TestClient;
let own: Pod;
let foreign: Pod;

const nameOf = (pod: Pod): { name: string } => ({ name: pod.metadata?.name ?? '' });
const metadata = (name: string, namespace = 'default'): object => ({ name, namespace });

beforeAll(async () => {
  const { client } = plane();
  node = await plane().clientAs('system:node:n1', ['system:nodes']);
  for (const name of ['used', 'pulls', 'unused']) {
    await client.create(r.secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name } });
    await client.create(r.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  }
  await client.create(r.serviceAccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'other' },
  });
  own = await createPodOn(
    client,
    barePod({
      volumes: [
        { name: 'v', secret: { secretName: 'used' } },
        {
          name: 't',
          projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'vault' } }] },
        },
      ],
      imagePullSecrets: [{ name: 'pulls' }],
      containers: [
        {
          name: 'main',
          image: 'nodelet.local/busybox:1',
          envFrom: [{ configMapRef: { name: 'used' } }],
        },
      ],
    }),
    'n1',
  );
  foreign = await createPodOn(client, barePod({ serviceAccountName: 'other' }), 'n2');
  await node.create(r.nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, status: {} });
  // The real authorizer learns of pods by a watch of its own.
  await eventually(async () => node.find(r.secrets, { name: 'used' }));
});

describe('its Node', () => {
  test('reads and watches itself only', async () => {
    expect(await node.get(r.nodes, { name: 'n1' })).toMatchObject({ kind: 'Node' });
    await expect(node.get(r.nodes, { name: 'n2' })).rejects.toMatchObject(refused);
    await expect(node.list(r.nodes)).rejects.toMatchObject(refused);
    const selector = { fieldSelector: 'metadata.name=n1' };
    expect((await node.list(r.nodes, selector)).items).toHaveLength(1);
    const watch = node.watch(r.nodes, selector);
    expect(await watch.next()).toMatchObject({ type: 'ADDED' });
    watch.close();
  });

  test('writes itself, but for labels that place pods, and taints', async () => {
    const at = { name: 'n1' };
    const ready = (status: string): object => ({ status: { conditions: [{ type: 'Ready', status }] } });
    await node.patch(r.nodes, { ...at, subresource: 'status' }, ready('False'));
    const addresses = [{ type: 'InternalIP', address: '192.0.2.10' }];
    const patched = await node.patch<Node>(
      r.nodes,
      { ...at, subresource: 'status' },
      { status: { addresses, capacity: { cpu: '2' } } },
    );
    expect(patched.status).toMatchObject({
      addresses,
      capacity: { cpu: '2' },
      conditions: [{ type: 'Ready' }],
    });
    const label = (key: string): object => ({ metadata: { labels: { [key]: 'x' } } });
    for (const key of ['kubernetes.io/os', 'node.kubernetes.io/instance-type', 'example.com/mine']) {
      await node.patch(r.nodes, at, label(key));
    }
    for (const key of ['node-restriction.kubernetes.io/zone', 'node-role.kubernetes.io/worker']) {
      await expect(node.patch(r.nodes, at, label(key))).rejects.toMatchObject(refused);
    }
    const taints = { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } };
    await expect(node.patch(r.nodes, at, taints)).rejects.toMatchObject(refused);
    await expect(node.delete(r.nodes, at)).rejects.toMatchObject(refused);
    const other = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2' } };
    await expect(node.create(r.nodes, other)).rejects.toMatchObject(refused);
  });

  test('its lease and its CSINode', async () => {
    const lease = (name: string, namespace = 'kube-node-lease'): object => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: metadata(name, namespace),
      spec: { holderIdentity: name, leaseDurationSeconds: 40 },
    });
    const made = await node.create(r.leases, lease('n1'));
    await node.replace(r.leases, { ...made, spec: { holderIdentity: 'n1', leaseDurationSeconds: 50 } });
    await expect(node.create(r.leases, lease('n2'))).rejects.toMatchObject(refused);
    await expect(node.create(r.leases, lease('n1', 'default'))).rejects.toMatchObject(refused);
    await expect(node.list(r.leases)).rejects.toMatchObject(refused);
    const csi = (name: string): object => ({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSINode',
      metadata: { name },
      spec: { drivers: [] },
    });
    await node.create(r.csiNodes, csi('n1'));
    await expect(node.create(r.csiNodes, csi('n2'))).rejects.toMatchObject(refused);
  });
});

describe('pods', () => {
  test('it sees its own', async () => {
    await expect(node.list(r.pods)).rejects.toMatchObject(refused);
    const { items } = await node.list<Pod>(r.pods, { fieldSelector: 'spec.nodeName=n1' });
    expect(items.map((pod) => pod.metadata?.uid)).toEqual([own.metadata?.uid]);
    await expect(node.list(r.pods, { fieldSelector: 'spec.nodeName=n2' })).rejects.toMatchObject(refused);
    expect(await node.get(r.pods, nameOf(own))).toMatchObject({ kind: 'Pod' });
    await expect(node.get(r.pods, nameOf(foreign))).rejects.toMatchObject(refused);
  });

  test('it writes the status of its own', async () => {
    const status = { status: { phase: 'Running' } };
    await node.patch(r.pods, { ...nameOf(own), subresource: 'status' }, status);
    const other = { ...nameOf(foreign), subresource: 'status' };
    await expect(node.patch(r.pods, other, status)).rejects.toMatchObject(refused);
    const labels = { metadata: { labels: { a: 'b' } } };
    await expect(node.patch(r.pods, { ...nameOf(own), subresource: 'status' }, labels)).rejects.toMatchObject(
      refused,
    );
    await expect(node.patch(r.pods, nameOf(own), labels)).rejects.toMatchObject(refused);
    await expect(node.delete(r.pods, nameOf(foreign))).rejects.toMatchObject(refused);
  });

  test('mirror pods', async () => {
    const self = await node.get<Node>(r.nodes, { name: 'n1' });
    const mirror = (more: Pod['metadata'], spec: Partial<PodSpec> = {}): Pod =>
      barePod(
        { nodeName: 'n1', ...spec },
        {
          name: 'static-n1',
          annotations: { 'kubernetes.io/config.mirror': 'h', 'kubernetes.io/config.hash': 'h' },
          ...more,
        },
      );
    const owner = {
      apiVersion: 'v1',
      kind: 'Node',
      name: 'n1',
      uid: self.metadata?.uid ?? '',
      controller: true,
    };
    await expect(node.create(r.pods, mirror({}))).rejects.toMatchObject(refused);
    await expect(
      node.create(r.pods, mirror({ ownerReferences: [{ ...owner, uid: 'another' }] })),
    ).rejects.toMatchObject(refused);
    await expect(
      node.create(r.pods, mirror({ ownerReferences: [owner] }, { nodeName: 'n2' })),
    ).rejects.toMatchObject(refused);
    await expect(
      node.create(r.pods, mirror({ ownerReferences: [owner], annotations: {} })),
    ).rejects.toMatchObject(refused);
    const volumes = [{ name: 'v', secret: { secretName: 'unused' } }];
    await expect(
      node.create(r.pods, mirror({ ownerReferences: [owner] }, { volumes })),
    ).rejects.toMatchObject(refused);
    const made = await node.create<Pod>(r.pods, mirror({ ownerReferences: [owner] }));
    expect(made.spec?.serviceAccountName).toBeUndefined();
    await node.delete(r.pods, nameOf(made), { gracePeriodSeconds: 0 });
  });
});

describe('what pods name', () => {
  test.each(['secrets', 'configMaps'] as const)('%s, one at a time', async (kind) => {
    expect(await node.get(r[kind], { name: 'used' })).toMatchObject({ metadata: { name: 'used' } });
    await expect(node.get(r[kind], { name: 'unused' })).rejects.toMatchObject(refused);
    await expect(node.list(r[kind], { namespace: 'default' })).rejects.toMatchObject(refused);
    const one = { namespace: 'default', fieldSelector: 'metadata.name=used' };
    expect((await node.list(r[kind], one)).items).toHaveLength(1);
    const watch = node.watch(r[kind], one);
    expect(await watch.next()).toMatchObject({ type: 'ADDED' });
    watch.close();
    const unused = { namespace: 'default', fieldSelector: 'metadata.name=unused' };
    await expect(node.list(r[kind], unused)).rejects.toMatchObject(refused);
  });

  test('pull secrets too, and what a pod names that is not there yet', async () => {
    expect(await node.get(r.secrets, { name: 'pulls' })).toBeDefined();
    await createPodOn(
      plane().client,
      barePod({ volumes: [{ name: 'v', configMap: { name: 'later' } }] }),
      'n1',
    );
    await eventually(async () =>
      node.get(r.configMaps, { name: 'later' }).then(
        () => false,
        (error: { status?: number }) => error.status === 404,
      ),
    );
  });

  test('tokens for its pods only', async () => {
    const ask = (account: string, ref?: object, audiences = ['vault']): Promise<unknown> =>
      node.create(
        r.serviceAccounts,
        {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          metadata: {},
          spec: { audiences, ...(ref === undefined ? {} : { boundObjectRef: ref }) },
        },
        { name: account, subresource: 'token' },
      );
    const refTo = (pod: Pod, uid = pod.metadata?.uid): object => ({
      apiVersion: 'v1',
      kind: 'Pod',
      name: pod.metadata?.name,
      uid,
    });
    expect(await ask('default', refTo(own))).toMatchObject({
      status: { token: expect.any(String) as string },
    });
    // Only audiences that a volume of the pod names; the API server's own too.
    await expect(ask('default', refTo(own), [])).rejects.toMatchObject(refused);
    await expect(ask('default', refTo(own), ['other'])).rejects.toMatchObject(refused);
    await expect(ask('default')).rejects.toMatchObject(refused);
    await expect(ask('default', refTo(own, ''))).rejects.toMatchObject(refused);
    await expect(ask('other', refTo(foreign))).rejects.toMatchObject(refused);
  });
});

test('what all nodes may read, and what none may', async () => {
  for (const kind of ['services', 'runtimeClasses', 'csiDrivers'] as const) {
    expect((await node.list(r[kind])).items).toBeInstanceOf(Array);
  }
  for (const kind of ['endpointSlices', 'serviceCidrs', 'persistentVolumes', 'namespaces'] as const) {
    await expect(node.list(r[kind])).rejects.toMatchObject(refused);
  }
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: metadata('e1'),
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'x' },
    reason: 'Test',
    type: 'Normal',
  };
  await node.create(r.events, event);
  expect(await node.patch(r.events, { name: 'e1' }, { count: 2 })).toMatchObject({
    count: 2,
    reason: 'Test',
  });
  await expect(node.delete(r.events, { name: 'e1' })).rejects.toMatchObject(refused);
});

test("a node's resource slices, as a collection", async () => {
  const path = '/apis/resource.k8s.io/v1/resourceslices';
  expect((await node.raw('DELETE', `${path}?fieldSelector=spec.nodeName%3Dn1`)).status).toBe(200);
  expect((await node.raw('DELETE', path)).status).toBe(403);
});

test('the proxy role is bound to its own user', async () => {
  const proxy = await plane().clientAs('system:kube-proxy');
  for (const kind of ['services', 'endpointSlices', 'nodes'] as const) {
    expect((await proxy.list(r[kind])).items).toBeInstanceOf(Array);
  }
  await expect(proxy.list(r.pods)).rejects.toMatchObject(refused);
});

import { describe, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { decideDeletion } from '#test/control-plane/fake/deletion.ts';
import { findKind } from '#test/control-plane/fake/kinds.ts';
import type { KubeObject } from '#test/control-plane/fake/object.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useFake } from './fake.ts';

const fake = useFake({ injectServiceAccountToken: true });
const { pods } = testResources;

const tokenMount = '/var/run/secrets/kubernetes.io/serviceaccount';
const newPod = (name: string, spec: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'a:1' }], ...spec },
});

describe("the service account's volume", () => {
  test('is there where it is asked for', async () => {
    const pod = await fake().client.create<Pod>(pods, newPod('with-token'));
    const [volume] = pod.spec?.volumes ?? [];
    expect(volume?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(volume?.projected?.sources).toMatchObject([
      { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
      { configMap: { name: 'kube-root-ca.crt' } },
      { downwardAPI: { items: [{ path: 'namespace' }] } },
    ]);
    expect(pod.spec?.containers[0]?.volumeMounts).toEqual([
      { name: volume?.name, mountPath: tokenMount, readOnly: true },
    ]);
  });

  test('and not where the pod says no', async () => {
    const pod = await fake().client.create<Pod>(
      pods,
      newPod('without-token', { automountServiceAccountToken: false }),
    );
    expect(pod.spec?.volumes).toBeUndefined();
  });
});

test('resources change through resize only, and containers are added for debugging', async () => {
  const { client } = fake();
  const made = await client.create<Pod>(pods, newPod('resized'));
  const resources = { requests: { cpu: '100m' } };
  const patch = { spec: { containers: [{ name: 'main', resources }] } };
  await expect(client.patch(pods, { name: 'resized' }, patch)).rejects.toMatchObject({ status: 422 });
  const resized = await client.patch<Pod>(pods, { name: 'resized', subresource: 'resize' }, patch);
  expect(resized.spec?.containers[0]).toMatchObject({ resources, image: 'a:1' });
  expect(resized.metadata?.generation).toBe((made.metadata?.generation ?? 0) + 1);
  const image = { spec: { containers: [{ name: 'main', image: 'b:1' }] } };
  await expect(client.patch(pods, { name: 'resized', subresource: 'resize' }, image)).rejects.toMatchObject({
    status: 422,
  });
  const debug = { spec: { ephemeralContainers: [{ name: 'debug', image: 'a:1' }] } };
  await expect(client.patch(pods, { name: 'resized' }, debug)).rejects.toMatchObject({ status: 422 });
  const debugged = await client.patch<Pod>(
    pods,
    { name: 'resized', subresource: 'ephemeralcontainers' },
    debug,
  );
  expect(debugged.spec?.ephemeralContainers).toMatchObject([{ name: 'debug' }]);
});

describe('what a delete does', () => {
  const now = Date.parse('2024-01-01T00:01:00Z');
  const kind = findKind('', 'pods')!;
  const pod = (metadata: object, spec: object = {}, phase = 'Running'): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', uid: 'u', generation: 1, ...metadata },
    spec: { nodeName: 'n', terminationGracePeriodSeconds: 30, ...spec },
    status: { phase },
  });
  const marked = (grace: number, at: string, generation = 2): object => ({
    type: 'mark',
    object: { metadata: { deletionGracePeriodSeconds: grace, deletionTimestamp: at, generation } },
  });
  const deleting = (grace: number, at: string): object => ({
    deletionGracePeriodSeconds: grace,
    deletionTimestamp: at,
    generation: 2,
  });

  test.each<[string, KubeObject, number | undefined, object]>([
    ['its own grace period', pod({}), undefined, marked(30, '2024-01-01T00:01:30Z')],
    ['the one given', pod({}), 5, marked(5, '2024-01-01T00:01:05Z')],
    ['none', pod({}), 0, { type: 'remove' }],
    ['no node', pod({}, { nodeName: '' }), 5, { type: 'remove' }],
    ['ended', pod({}, {}, 'Failed'), 5, { type: 'remove' }],
    ['a finalizer', pod({ finalizers: ['x'] }), 0, marked(0, '2024-01-01T00:01:00Z')],
    ['longer than before', pod(deleting(10, '2024-01-01T00:01:05Z')), 20, { type: 'pending' }],
    ['again', pod(deleting(10, '2024-01-01T00:01:05Z')), undefined, { type: 'pending' }],
    ['shorter', pod(deleting(30, '2024-01-01T00:01:25Z')), 10, marked(10, '2024-01-01T00:01:05Z')],
    [
      'shorter than what has passed already: a second, still for the node to end',
      pod(deleting(60, '2024-01-01T00:01:20Z')),
      10,
      marked(1, '2024-01-01T00:01:00Z'),
    ],
    ['the last word', pod(deleting(60, '2024-01-01T00:01:20Z')), 0, { type: 'remove' }],
  ])('%s', (_name, object, gracePeriodSeconds, result) => {
    const options = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    expect(decideDeletion(kind, object, options, now)).toMatchObject(result);
  });
});

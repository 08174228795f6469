import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiError } from '#lib/kube/api-error.ts';
import { resources } from '#lib/kube/client.ts';
import { ApiBed, staticPod } from '../testing/api-bed.ts';

describe('mirror pods', () => {
  let bed: ApiBed;
  beforeEach(async () => {
    bed = new ApiBed();
    await bed.start();
  });
  afterEach(() => bed.dispose());

  const web = (uid: string, image = 'img'): ReturnType<typeof staticPod> =>
    staticPod('web-node', { containers: [{ image }] }, uid);
  const mirror = (): ReturnType<ApiBed['api']['pod']> => bed.api.pod('web-node');
  const ready = (): boolean => mirror()?.status?.containerStatuses?.[0]?.ready === true;

  test('a static pod gets one that NodeRestriction takes, with its status', async () => {
    bed.manifests.set([web('h1')]);
    await bed.pods.runUntil(ready);
    expect(mirror()).toMatchObject({
      metadata: {
        annotations: {
          'kubernetes.io/config.mirror': 'h1',
          'kubernetes.io/config.hash': 'h1',
          'kubernetes.io/config.source': 'file',
          'kubernetes.io/config.seen': '2026-01-01T00:00:00Z',
        },
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Node', name: 'node', uid: 'node-uid', controller: true },
        ],
      },
      spec: { nodeName: 'node' },
      status: { phase: 'Running' },
    });
    expect(mirror()?.metadata?.uid).not.toBe('h1');
    const patch = bed.api.calls.find(({ verb }) => verb === 'patch')?.body;
    expect(patch).toMatchObject({ metadata: { uid: mirror()?.metadata?.uid } });
    expect(bed.pods.workers.snapshots()).toHaveLength(1);
    expect(bed.api.calls.filter(({ verb }) => verb === 'create')).toHaveLength(1);
  });

  test('without API server or Node the static pod runs, and is mirrored later', async () => {
    bed.nodeUid = undefined;
    bed.manifests.set([web('h1')]);
    await bed.pods.runUntil(() => bed.pods.running().length === 1);
    await bed.pods.run(3000);
    expect(mirror()).toBeUndefined();
    const [snapshot] = bed.pods.workers.snapshots();
    expect(snapshot && bed.agent.mirrors.waits(snapshot.context.pod)[0]?.reason).toBe('MirrorPodMissing');
    bed.nodeUid = 'node-uid';
    bed.agent.mirrors.nodeChanged();
    await bed.pods.runUntil(ready);
  });

  test('deleted by a user it comes back; the pod runs on', async () => {
    bed.manifests.set([web('h1')]);
    await bed.pods.runUntil(ready);
    const first = mirror()?.metadata?.uid;
    bed.remove('web-node');
    await bed.pods.runUntil(() => mirror()?.metadata?.uid !== first && ready());
    bed.remove('web-node', 0);
    await bed.pods.runUntil(() => ready());
    expect(bed.pods.running()).toEqual(['main#0']);
  });

  test('an edited manifest gets a new one', async () => {
    bed.manifests.set([web('h1')]);
    await bed.pods.runUntil(ready);
    bed.manifests.set([web('h2', 'img2')]);
    await bed.pods.runUntil(
      () => mirror()?.metadata?.annotations?.['kubernetes.io/config.mirror'] === 'h2' && ready(),
    );
    const [{ context } = { context: undefined }] = bed.pods.workers.snapshots();
    expect(context?.pod.spec.containers[0]?.image).toBe('img2');
  });

  test('it goes when its pod has ended, and not earlier', async () => {
    bed.pods.runtime.behave('main', { ignoresTerm: true });
    bed.manifests.set([web('h1')]);
    await bed.pods.runUntil(ready);
    bed.manifests.set([]);
    await bed.pods.run(20_000);
    expect(mirror()).toBeDefined();
    await bed.pods.run(20_000);
    await bed.pods.runUntil(() => mirror() === undefined);
  });

  test('left-overs go once all manifests were seen; pods of others stay', async () => {
    bed.kill();
    bed.api.put(resources.pods, {
      metadata: {
        name: 'old-node',
        namespace: 'default',
        annotations: { 'kubernetes.io/config.mirror': 'x' },
      },
      spec: { nodeName: 'node', containers: [] },
    } as never);
    await bed.start();
    await bed.pods.runUntil(() => bed.api.pod('old-node') === undefined);
    expect(bed.pods.changes()).toEqual([]);
  });

  test('a pod of the API server with its name is left alone', async () => {
    bed.create('web-node', { containers: [{ name: 'other' }] });
    await bed.pods.runUntil(() => bed.phase('web-node') === 'Running');
    bed.manifests.set([web('h1')]);
    await bed.pods.run(5000);
    expect(bed.api.writes().filter((each) => each.startsWith('delete'))).toEqual([]);
    expect(mirror()?.metadata?.annotations?.['kubernetes.io/config.mirror']).toBeUndefined();
  });

  test('a refused one is tried again', async () => {
    bed.api.failNext('create', new ApiError({ status: 500, reason: '', message: 'etcd' }));
    bed.manifests.set([web('h1')]);
    await bed.pods.run(1500);
    await bed.pods.runUntil(ready);
  });

  test('a new agent writes nothing and keeps the published times', async () => {
    bed.manifests.set([web('h1')]);
    await bed.pods.runUntil(ready);
    await bed.pods.run(100_000);
    const before = mirror();
    const writes = bed.api.writes().length;
    await bed.start();
    await bed.pods.run(5000);
    expect(bed.api.writes().slice(writes)).toEqual([]);
    expect(mirror()).toEqual(before);
  });
});

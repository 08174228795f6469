import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resources } from '#lib/kube/client.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { CsiNodeKeeper } from './csi-node.ts';
import type { CsiNode } from './csi-node.ts';
import { FakeCluster } from './testing/fake-cluster.ts';

const MIGRATED = 'storage.alpha.kubernetes.io/migrated-plugins';
const owner = (uid: string) => ({ apiVersion: 'v1', kind: 'Node', name: 'n1', uid });

let clock: FakeClock;
let cluster: FakeCluster;
let keeper: CsiNodeKeeper;
let changes: (string | undefined)[];
let stop: AbortController;

beforeEach(() => {
  clock = new FakeClock();
  cluster = new FakeCluster();
  changes = [];
  stop = new AbortController();
  keeper = new CsiNodeKeeper({
    nodeName: 'n1',
    client: cluster,
    onChange: () => void changes.push(keeper.trouble),
    clock,
    logger: silentLogger,
  });
});
afterEach(() => stop.abort());

const object = (): CsiNode | undefined => cluster.object(resources.csiNodes, 'n1');

describe('CsiNodeKeeper', () => {
  test('says upstream’s words until the object stands', async () => {
    expect(keeper.trouble).toBe('CSINode is not yet initialized');
    await keeper.ensure('u1', stop.signal);
    expect(keeper.trouble).toBeUndefined();
    expect(changes).toEqual([undefined]);
    expect(object()).toMatchObject({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSINode',
      metadata: { name: 'n1', ownerReferences: [owner('u1')] },
      spec: { drivers: [] },
    });
    expect(object()?.metadata?.annotations?.[MIGRATED]?.split(',')).toHaveLength(7);
  });

  test('an object that is right is left alone, with its drivers', async () => {
    await keeper.ensure('u1', stop.signal);
    const present = object()!;
    cluster.write<CsiNode>(resources.csiNodes, { ...present, spec: { drivers: [{ name: 'd' }] } });
    await keeper.ensure('u1', stop.signal);
    expect(cluster.of('replace', 'csinodes')).toHaveLength(0);
    expect(object()?.spec?.drivers).toEqual([{ name: 'd' }]);
  });

  test('an annotation that differs is put right', async () => {
    cluster.write<CsiNode>(resources.csiNodes, {
      metadata: { name: 'n1', ownerReferences: [owner('u1')], annotations: { [MIGRATED]: 'a', mine: 'x' } },
      spec: { drivers: [{ name: 'd' }] },
    });
    await keeper.ensure('u1', stop.signal);
    expect(object()?.metadata?.annotations).toMatchObject({ mine: 'x' });
    expect(object()?.metadata?.annotations?.[MIGRATED]).toContain('kubernetes.io/aws-ebs');
    expect(object()?.spec?.drivers).toEqual([{ name: 'd' }]);
  });

  test('another Node’s object is made anew', async () => {
    cluster.write<CsiNode>(resources.csiNodes, {
      metadata: { name: 'n1', uid: 'c1', ownerReferences: [owner('before')] },
    });
    const done = keeper.ensure('u1', stop.signal);
    await clock.advance(200);
    await done;
    expect(cluster.of('delete', 'csinodes')).toHaveLength(1);
    expect(object()?.metadata?.ownerReferences).toEqual([owner('u1')]);
  });

  test('failures keep the node from being ready, with the reason', async () => {
    cluster.fault = () => 500;
    const done = keeper.ensure('u1', stop.signal);
    await settle();
    expect(keeper.trouble).toMatch(/^failed to initialize CSINode: 500/);
    await clock.advance(120_000);
    expect(keeper.trouble).toBeDefined();
    cluster.fault = () => undefined;
    await clock.advance(7000);
    await done;
    expect(keeper.trouble).toBeUndefined();
  });

  test.each([403, 404])('a storage API that answers %i is waited for half a minute', async (status) => {
    cluster.fault = () => status;
    const done = keeper.ensure('u1', stop.signal);
    await clock.advance(29_000);
    expect(keeper.trouble).toMatch(/^failed to initialize CSINode/);
    await clock.advance(10_000);
    expect(keeper.trouble).toBeUndefined();
    // A later failure of another kind must not take the readiness back.
    cluster.fault = () => 500;
    await clock.advance(60_000);
    expect(keeper.trouble).toBeUndefined();
    cluster.fault = () => undefined;
    await clock.advance(60_000);
    await done;
    expect(object()).toBeDefined();
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resources } from '#lib/kube/client.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { LeaseKeeper } from './lease.ts';
import type { Lease } from './lease.ts';
import { FakeCluster } from './testing/fake-cluster.ts';

let clock: FakeClock;
let cluster: FakeCluster;
let keeper: LeaseKeeper;
let stop: AbortController;
let uid: string | undefined;
let timeouts: number;
let running: Promise<void>;

function start(): void {
  keeper = new LeaseKeeper({
    nodeName: 'n1',
    leaseDurationSeconds: 40,
    client: cluster,
    nodeUid: () => uid,
    onTimeout: () => void timeouts++,
    clock,
    random: () => 0,
    logger: silentLogger,
  });
  running = keeper.run(stop.signal);
}
const lease = (): Lease | undefined => cluster.object(resources.leases, 'n1');
const writes = (): number => cluster.of('replace', 'leases').length + cluster.of('create', 'leases').length;

beforeEach(() => {
  clock = new FakeClock();
  cluster = new FakeCluster();
  stop = new AbortController();
  uid = 'node-1';
  timeouts = 0;
});
afterEach(async () => {
  stop.abort();
  await running;
});

describe('LeaseKeeper', () => {
  test('makes the lease with its owner, holder, duration and time, in its own lane', async () => {
    start();
    await settle();
    expect(lease()).toMatchObject({
      metadata: {
        name: 'n1',
        namespace: 'kube-node-lease',
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'node-1' }],
      },
      spec: { holderIdentity: 'n1', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
    });
    for (const { call } of cluster.calls) {
      expect(call.lane).toBe('lease');
      expect(call.deadlineMs).toBeLessThan(10_000);
    }
  });

  test('renews every 10 s with one call each', async () => {
    start();
    await settle();
    const before = cluster.calls.length;
    await clock.advance(30_000);
    expect(cluster.calls.slice(before).map(({ verb }) => verb)).toEqual(['replace', 'replace', 'replace']);
    expect(lease()?.spec?.renewTime).toBe('2026-01-01T00:00:30.000000Z');
  });

  test('a new lease waits for the node, and is made as soon as there is one', async () => {
    uid = undefined;
    start();
    await clock.advance(5000);
    expect(writes()).toBe(0);
    uid = 'node-1';
    keeper.wake();
    await settle();
    expect(writes()).toBe(1);
  });

  test('an existing lease is renewed without the node, and keeps its owner', async () => {
    uid = undefined;
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'old' };
    cluster.write<Lease>(resources.leases, { metadata: { name: 'n1', ownerReferences: [owner] } });
    start();
    await settle();
    expect(lease()?.metadata?.ownerReferences).toEqual([owner]);
    expect(lease()?.spec?.renewTime).toBe('2026-01-01T00:00:00.000000Z');
  });

  test('the lease follows the node of now', async () => {
    start();
    await settle();
    uid = 'node-2';
    await clock.advance(10_000);
    expect(lease()?.metadata?.ownerReferences).toMatchObject([{ uid: 'node-2' }]);
  });

  test.each<[string, () => void]>([
    ['somebody else wrote it', () => cluster.write<Lease>(resources.leases, { ...lease(), spec: {} })],
    ['it is gone', () => cluster.remove(resources.leases, 'n1')],
  ])('%s: renewed in the same moment', async (_name, harm) => {
    start();
    await settle();
    harm();
    await clock.advance(10_000);
    expect(lease()?.spec?.renewTime).toBe('2026-01-01T00:00:10.000000Z');
  });

  test('after failures: 200 ms, doubled up to 7 s, and well again at once', async () => {
    const times: number[] = [];
    cluster.fault = () => {
      times.push(clock.now());
      return 500;
    };
    start();
    await clock.advance(40_000);
    const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    expect(gaps.slice(0, 7)).toEqual([200, 400, 800, 1600, 3200, 6400, 7000]);
    expect(keeper.trouble).toContain('500');
    expect(timeouts).toBe(0);
    cluster.fault = () => undefined;
    await clock.advance(7000);
    expect(keeper.trouble).toBeUndefined();
    expect(lease()).toBeDefined();
  });

  test('a call without an answer is told of, so that dead connections can be dropped', async () => {
    start();
    await settle();
    cluster.fault = () => (timeouts === 0 ? 'hang' : undefined);
    await clock.advance(10_300);
    expect(timeouts).toBe(1);
    expect(keeper.lastRenewed).toBe(clock.now() - 100);
  });
});

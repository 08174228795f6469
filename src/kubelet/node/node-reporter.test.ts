import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resources } from '#lib/kube/client.ts';
import type { Node } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { NodeReporter } from './node-reporter.ts';
import type { NodeFacts } from './node-status.ts';
import type { NodeSettings } from './settings.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { factsOf, machine, settingsOf } from './testing/facts.ts';

let clock: FakeClock;
let cluster: FakeCluster;
let reporter: NodeReporter;
let facts: NodeFacts;
let events: string[];
let seen: (string | undefined)[];
let reported: (readonly string[])[];
let stop: AbortController;
let running: Promise<void>;

function start(changes: Partial<NodeSettings> = {}): void {
  reporter = new NodeReporter({
    settings: settingsOf(changes),
    client: cluster,
    nodes: cluster.nodes,
    collect: () => Promise.resolve(facts),
    events: { event: (type, reason, message) => void events.push(`${type} ${reason}: ${message}`) },
    onNode: (node) => void seen.push(node?.metadata?.uid),
    onVolumesReported: (volumes) => void reported.push(volumes),
    clock,
    random: () => 0.5,
    logger: silentLogger,
  });
  running = reporter.run(stop.signal);
}

const node = (): Node | undefined => cluster.node('n1');
const patches = (): unknown[] => cluster.of('patch', 'nodes').map(({ body }) => body);
const ready = (): string | undefined =>
  node()?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
const words = (): string[] => events.map((each) => each.split(':')[0] ?? '');

beforeEach(() => {
  clock = new FakeClock();
  cluster = new FakeCluster();
  facts = factsOf();
  events = [];
  seen = [];
  reported = [];
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running;
});

describe('registration', () => {
  test('a new node is created whole, in the lane of statuses', async () => {
    start({ nodeLabels: { disk: 'ssd' } });
    await settle();
    expect(node()).toMatchObject({
      metadata: { labels: { disk: 'ssd' } },
      status: { capacity: { cpu: '4' } },
    });
    expect(ready()).toBe('True');
    expect(patches()).toEqual([]);
    expect(cluster.calls.every(({ call }) => call.lane === 'status')).toBe(true);
    expect(words()).toEqual([
      'Normal NodeHasSufficientMemory',
      'Normal NodeHasNoDiskPressure',
      'Normal NodeHasSufficientPID',
    ]);
    expect(events[0]).toBe('Normal NodeHasSufficientMemory: Node n1 status is now: NodeHasSufficientMemory');
  });

  test('an existing node keeps what is not the agent’s; default labels come back', async () => {
    cluster.write<Node>(resources.nodes, {
      metadata: { name: 'n1', uid: 'u', labels: { mine: 'x', 'kubernetes.io/os': 'plan9' } },
      spec: { unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }] },
      status: {
        capacity: { 'example.org/dongle': '2' },
        conditions: [{ type: 'NetworkUnavailable', status: 'False' }],
      },
    });
    start({ nodeLabels: { disk: 'ssd' }, registerWithTaints: [{ key: 'b', effect: 'NoSchedule' }] });
    await settle();
    expect(node()).toMatchObject({
      metadata: {
        labels: { mine: 'x', 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': 'n1' },
        annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
      },
      spec: { unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }] },
      status: {
        capacity: { cpu: '4', 'example.org/dongle': '2' },
        allocatable: { 'example.org/dongle': '2' },
      },
    });
    expect(node()?.metadata?.labels).not.toHaveProperty('disk');
    expect(node()?.status?.conditions?.[0]).toEqual({ type: 'NetworkUnavailable', status: 'False' });
    expect(ready()).toBe('True');
    expect(patches()).toHaveLength(1);
    expect(words()).toContain('Normal NodeNotSchedulable');
  });

  test('providerID is set where the object has none, and never changed', async () => {
    cluster.write<Node>(resources.nodes, { metadata: { name: 'n1', uid: 'u' }, spec: {} });
    start({ providerId: 'cloud://1' });
    await settle();
    expect(node()?.spec?.providerID).toBe('cloud://1');
    stop.abort();
    await running;
    stop = new AbortController();
    start({ providerId: 'cloud://2' });
    await settle();
    expect(node()?.spec?.providerID).toBe('cloud://1');
  });

  test('who may not create nodes takes the one that there is', async () => {
    cluster.write<Node>(resources.nodes, { metadata: { name: 'n1', uid: 'u' } });
    cluster.fault = ({ verb }) => (verb === 'create' ? 403 : undefined);
    start();
    await settle();
    expect(ready()).toBe('True');
  });

  test('is tried again, 200 ms doubling, until the API server takes it', async () => {
    cluster.fault = () => 500;
    start();
    await clock.advance(1399);
    expect(cluster.of('create', 'nodes')).toHaveLength(3);
    expect(reporter.trouble).toMatch(/can't be registered: 500/);
    cluster.fault = () => undefined;
    await clock.advance(1);
    expect(ready()).toBe('True');
    expect(reporter.trouble).toBeUndefined();
  });

  test('without registerNode the object is waited for', async () => {
    start({ registerNode: false });
    await clock.advance(30_000);
    expect(cluster.calls).toEqual([]);
    cluster.write<Node>(resources.nodes, { metadata: { name: 'n1', uid: 'u' } });
    await clock.advance(100);
    expect(ready()).toBe('True');
  });
});

describe('status', () => {
  beforeEach(async () => {
    start();
    await clock.advance(100);
    events = [];
  });

  test('nothing is written while nothing changes, and all of it every 5 minutes', async () => {
    await clock.advance(299_000);
    expect(patches()).toHaveLength(0);
    await clock.advance(12_000);
    expect(patches()).toHaveLength(1);
    expect(node()?.status?.conditions?.at(-1)?.lastHeartbeatTime).not.toBe('2026-01-01T00:00:00Z');
    expect(node()?.status?.conditions?.at(-1)?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
  });

  test('a change that somebody tells of is written at once', async () => {
    facts = factsOf({ troubles: ['container runtime is down'] });
    reporter.poke();
    await clock.advance(50);
    expect(ready()).toBe('False');
    facts = factsOf();
    reporter.poke();
    await clock.advance(50);
    expect(ready()).toBe('True');
    expect(words()).toEqual(['Normal NodeNotReady', 'Normal NodeReady']);
  });

  test('several at once are one write', async () => {
    facts = factsOf({ troubles: ['x'] });
    for (let at = 0; at < 10; at++) reporter.poke();
    await clock.advance(5000);
    expect(patches()).toHaveLength(1);
  });

  test('a change that nobody tells of is written at the next look', async () => {
    facts = factsOf({ machine: { ...machine, memoryBytes: 1024 ** 3 } });
    await clock.advance(10_500);
    expect(node()?.status?.capacity?.['memory']).toBe('1Gi');
  });

  test('what somebody takes away comes back; what somebody adds stays', async () => {
    const present = node()!;
    const { 'kubernetes.io/os': _, ...labels } = present.metadata?.labels ?? {};
    cluster.write<Node>(resources.nodes, {
      ...present,
      metadata: { ...present.metadata, labels: { ...labels, added: 'x' } },
    });
    await clock.advance(10_500);
    expect(node()?.metadata?.labels).toMatchObject({ 'kubernetes.io/os': 'linux', added: 'x' });
  });

  test('a write that fails is tried five times, from the API server’s own copy, then at the next look', async () => {
    facts = factsOf({ troubles: ['x'] });
    cluster.fault = ({ verb }) => (verb === 'patch' ? 409 : undefined);
    reporter.poke();
    await clock.advance(9000);
    expect(patches()).toHaveLength(5);
    expect(cluster.of('get', 'nodes')).toHaveLength(4);
    expect(reporter.trouble).toMatch(/can't be written: 409/);
    expect(words()).toEqual([]);
    cluster.fault = () => undefined;
    await clock.advance(10_500);
    expect(ready()).toBe('False');
    expect(words()).toEqual(['Normal NodeNotReady']);
    expect(reporter.trouble).toBeUndefined();
  });

  test('cordons are told of, once each', async () => {
    for (const unschedulable of [true, true, false]) {
      cluster.write<Node>(resources.nodes, { ...node(), spec: { unschedulable } });
    }
    await settle();
    expect(words()).toEqual(['Normal NodeNotSchedulable', 'Normal NodeSchedulable']);
  });

  test('a reboot is told of once', async () => {
    for (const bootId of ['boot-2', 'boot-3']) {
      facts = factsOf({ machine: { ...machine, bootId } });
      reporter.poke();
      await clock.advance(50);
    }
    expect(events).toEqual(['Warning Rebooted: Node n1 has been rebooted, boot id: boot-2']);
  });

  test('volumes count as reported when the API server has them', async () => {
    facts = factsOf({ volumesInUse: ['v'] });
    cluster.fault = ({ verb }) => (verb === 'patch' ? 500 : undefined);
    reporter.poke();
    await clock.advance(1000);
    expect(reported.flat()).toEqual([]);
    cluster.fault = () => undefined;
    await clock.advance(20_000);
    expect(reported.at(-1)).toEqual(['v']);
  });
});

describe('a deleted node', () => {
  test('stays away while the agent runs', async () => {
    start();
    await settle();
    cluster.remove(resources.nodes, 'n1');
    await clock.advance(600_000);
    expect(node()).toBeUndefined();
    expect(reporter.node).toBeUndefined();
    expect(reporter.trouble).toMatch(/was deleted/);
    expect(seen.at(-1)).toBeUndefined();
  });

  test('is found out by the write too', async () => {
    start();
    await settle();
    cluster.fault = ({ verb }) => (verb === 'patch' ? 404 : undefined);
    facts = factsOf({ troubles: ['x'] });
    reporter.poke();
    await clock.advance(100);
    expect(reporter.node).toBeUndefined();
  });

  test('comes back where the option says so', async () => {
    start({ recreateDeletedNode: true });
    await settle();
    cluster.remove(resources.nodes, 'n1');
    await clock.advance(1000);
    expect(ready()).toBe('True');
  });

  test('that somebody makes again gets its status', async () => {
    start();
    await settle();
    cluster.remove(resources.nodes, 'n1');
    await clock.advance(1000);
    cluster.write<Node>(resources.nodes, { metadata: { name: 'n1', uid: 'again' } });
    await clock.advance(100);
    expect(ready()).toBe('True');
    expect(seen.at(-1)).toBe('again');
  });
});

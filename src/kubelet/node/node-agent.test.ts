import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RuntimeStatus } from '#cri/types.ts';
import { systemClock } from '#host/clock.ts';
import { resources } from '#lib/kube/client.ts';
import type { Node } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { NodeAgent } from './node-agent.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { settingsOf } from './testing/facts.ts';

let rootDir: string;
let agent: NodeAgent;
let networkReady: boolean;
let events: string[];

const status = (): RuntimeStatus => ({
  conditions: [
    { type: 'RuntimeReady', status: true, reason: '', message: '' },
    { type: 'NetworkReady', status: networkReady, reason: 'NetworkPluginNotReady', message: 'no CNI' },
  ],
  runtimeHandlers: [],
  features: { supplementalGroupsPolicy: false },
});

function make(cluster?: FakeCluster): NodeAgent {
  const version = { runtimeName: 'containerd', runtimeVersion: '2', runtimeApiVersion: 'v1' };
  agent = new NodeAgent({
    sources: {
      settings: settingsOf({ nodeIps: [], hostname: '203.0.113.1' }),
      rootDir,
      runtime: { version: () => Promise.resolve(version) },
      runtimeVersion: version,
      // A runtime that hangs must not hold the node up.
      images: { listImages: () => new Promise(() => undefined) },
      health: {
        get word() {
          return { last: { status: status(), ageMs: 0 } };
        },
      },
      pressure: { read: () => Promise.resolve({ memory: false, disk: false, pids: false }) },
      kubernetesVersion: 'v1.36.2',
      clock: systemClock,
    },
    ...(cluster === undefined ? {} : { cluster: { client: cluster, nodes: cluster.nodes } }),
    events: { event: (_type, reason) => void events.push(reason) },
    startedAt: Date.parse('2026-01-01T00:00:00Z'),
    clock: systemClock,
    logger: silentLogger,
  });
  return agent;
}

const readyOf = (node: Node | undefined): string | undefined =>
  node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;

async function until(what: () => boolean, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (!what()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

beforeEach(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'node-agent-'));
  networkReady = true;
  events = [];
});
afterEach(async () => {
  await agent.stop();
  await rm(rootDir, { recursive: true });
});

describe('in a cluster', () => {
  test('the node is Ready within two seconds, with Lease and CSINode, though the image list hangs', async () => {
    const cluster = new FakeCluster();
    const began = performance.now();
    await make(cluster).start();
    await until(() => readyOf(cluster.node('n1')) === 'True', 2000);
    expect(performance.now() - began).toBeLessThan(2000);
    const uid = cluster.node('n1')?.metadata?.uid;
    await until(() => cluster.object(resources.leases, 'n1') !== undefined, 1000);
    for (const resource of [resources.leases, resources.csiNodes]) {
      expect(cluster.object(resource, 'n1')?.metadata?.ownerReferences).toMatchObject([{ uid }]);
    }
    expect(agent.troubles()).toEqual([]);
  });

  test('the runtime’s network goes and comes: the node says so within a second', async () => {
    const cluster = new FakeCluster();
    await make(cluster).start();
    const ready = (): string | undefined => readyOf(cluster.node('n1'));
    await until(() => ready() === 'True', 2000);
    for (const [state, word] of [
      [false, 'False'],
      [true, 'True'],
    ] as const) {
      networkReady = state;
      agent.poke();
      await until(() => ready() === word, 1000);
    }
    expect(events.filter((each) => /Ready/.test(each))).toEqual(['NodeReady', 'NodeNotReady', 'NodeReady']);
  });

  test('the reasons for not being ready are there to explain', async () => {
    networkReady = false;
    const cluster = new FakeCluster();
    cluster.fault = ({ plural }) => (plural === 'nodes' ? 500 : undefined);
    await make(cluster).start();
    await until(() => agent.troubles().length === 2, 2000);
    expect(agent.troubles()[0]).toContain('container runtime network not ready');
    expect(agent.troubles()[1]).toMatch(/can't be registered/);
    expect(agent.node().metadata?.name).toBe('n1');
  });
});

test('without a cluster the same object is kept here', async () => {
  await make().start();
  expect(readyOf(agent.node())).toBe('True');
  expect(agent.node().metadata?.creationTimestamp).toBe('2026-01-01T00:00:00Z');
  expect(events.slice(0, 2)).toEqual(['Starting', 'NodeHasSufficientMemory']);
  networkReady = false;
  agent.poke();
  await until(() => readyOf(agent.node()) === 'False', 1500);
  expect(events.at(-1)).toBe('NodeNotReady');
});

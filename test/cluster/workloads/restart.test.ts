/** The agent's start and end are nothing that the cluster notices. */
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Event, Node, Pod } from '#lib/kube/types.ts';
import { container, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { isReady, useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';

const { events, nodes, pods } = testResources;
const PODS = 50;
/** Long enough for everything that a start sets off: lists, first rounds, housekeeping, the first minute's fast syncs. */
const AFTER_MS = 12_000;
const BUDGET_MS = 2000;

const node = useClusterNode({ flags: ['--max-pods=110'] });
const client = () => node.plane.client;
const ours = async (): Promise<Pod[]> =>
  (await client().list<Pod>(pods, { fieldSelector: `spec.nodeName=${node.nodeName}` })).items;

test(`${PODS} pods run`, async () => {
  for (let i = 0; i < PODS; i += 1) {
    await node.createPod(
      podManifest(`p${i}`, [container('main')], i % 5 === 0 ? { restartPolicy: 'Never' } : {}),
    );
  }
  await node.createPod(podManifest('done', [container('main', 'exit 0')], { restartPolicy: 'Never' }));
  await node.createPod(podManifest('failed', [container('main', 'exit 3')], { restartPolicy: 'Never' }));
  await eventually(async () => {
    const list = await ours();
    return list.filter((pod) => isRunning({ pod })).length === PODS;
  }, 110_000);
  await node.waitForPod('done', ({ pod }) => pod.status?.phase === 'Succeeded');
  await node.waitForPod('failed', ({ pod }) => pod.status?.phase === 'Failed');
});

test.each([
  ['is killed', () => node.agent.kill9()],
  ['ends', () => node.agent.stop()],
])(
  'the agent %s and comes back: nothing is written about any pod, and nothing starts again',
  async (_, end) => {
    // What was under way is written before.
    await wait(1000);
    const before = await ours();
    const told = (await client().list<Event>(events)).items.length;
    await end();
    const since = Date.now();
    await node.agent.restart();
    await wait(AFTER_MS);

    const after = await ours();
    expect(after.map((pod) => identity({ pod }))).toEqual(before.map((pod) => identity({ pod })));
    const versions = (list: readonly Pod[]): unknown =>
      list.map(({ metadata }) => [metadata?.name, metadata?.resourceVersion]);
    expect(versions(after)).toEqual(versions(before));

    const all = (await client().list<Event>(events)).items;
    expect(all.filter((event) => event.involvedObject.kind === 'Pod').length).toBeLessThanOrEqual(told);
    // The node's own: Starting, and what upstream tells at each start.
    expect(all.length - told).toBeLessThanOrEqual(12);
    if (node.plane.fake === undefined) return;
    const { recorder } = node.fake;
    const user = `system:node:${node.nodeName}`;
    const counts = new Map<string, number>();
    for (const each of recorder.find({ verb: ['create', 'update', 'patch', 'delete'] }, since)) {
      const { resource = '' } = each;
      if (each.user === user) counts.set(resource, (counts.get(resource) ?? 0) + 1);
    }
    expect(counts.get('pods/status')).toBeUndefined();
    expect(counts.get('pods')).toBeUndefined();
    expect(counts.get('events') ?? 0).toBeLessThanOrEqual(12);
    expect(counts.get('nodes/status') ?? 0).toBeLessThanOrEqual(3);
  },
);

test('a node that is registered is Ready within two seconds of the start of the process', async () => {
  const taken: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    await node.agent.stop();
    const at = { name: node.nodeName };
    // As the node controller does when leases stop.
    const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
    await client().patch(nodes, { ...at, subresource: 'status' }, { status: { conditions } });
    const watch = client().watch<Node>(nodes, {
      fieldSelector: `metadata.name=${node.nodeName}`,
      resourceVersion: (await client().get<Node>(nodes, at)).metadata?.resourceVersion ?? '0',
    });
    const begin = performance.now();
    await node.agent.spawn();
    await watch.until(({ object }) => isReady(object), 30_000);
    taken.push(performance.now() - begin);
    watch.close();
  }
  const shown = taken.map((ms) => `${ms.toFixed(0)} ms`).join(', ');
  process.stdout.write(`process start to node Ready, beside ${PODS} pods, ${node.plane.title}: ${shown}\n`);
  // The best of several: what a busy machine adds is nothing of the agent's.
  expect(Math.min(...taken)).toBeLessThanOrEqual(BUDGET_MS);
});

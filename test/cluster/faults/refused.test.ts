/** The API server refuses the node's credentials (401) for a while, as where its authenticators are being changed. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { container, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden, stepsBack } from './expectations.ts';

describeFakeOnly('credentials that are refused', 'the fake’s own refusals', () => {
  const node = useClusterNode({ identity: 'bootstrap' });
  const mine = { user: 'system:node:n1' } as const;
  const requests = (): number =>
    node.fake.recorder.count({ resource: 'certificatesigningrequests', verb: 'create' });
  const one = (name: string): string => podManifest(name, [container('main')]);

  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  test('once: the server is asked whether it meant it, and nothing else changes', async () => {
    await node.createPod(one('stays'));
    await node.waitForPod('stays', isRunning);
    const before = requests();
    const fault = node.fake.misbehave(
      { ...mine, resource: 'pods/status' },
      { type: 'refuse', status: 401 },
      2,
    );
    await node.createPod(one('next'));
    await node.waitForPod('next', isRunning, { timeoutMs: 30_000 });
    expect([fault.hits, requests() - before]).toEqual([2, 0]);
  });

  test('for 12 s: pods run on, no storm of signing requests, and all is well afterwards', async () => {
    const stays = identity({ pod: (await node.pod('stays'))! });
    const [before, since] = [requests(), Date.now()];
    const fault = node.fake.misbehave(mine, { type: 'refuse', status: 401 });
    node.fake.dropWatches(mine, true);
    await node.createPod(one('during'));
    await wait(12_000);
    expect(fault.hits).toBeLessThan(200);
    fault.stop();
    await node.waitForPod('during', isRunning, { timeoutMs: 60_000 });
    await eventually(async () => node.fake.recorder.longestLeaseGap('n1', since - 10_000) > 0, 20_000);
    expect(requests() - before).toBeLessThanOrEqual(3);
    expect(identity({ pod: (await node.pod('stays'))! })).toEqual(stays);
    await node.waitForNode();
  });
});

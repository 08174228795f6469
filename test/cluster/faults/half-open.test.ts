/** Connections that look open and carry nothing. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { container, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden, stepsBack } from './expectations.ts';

/** Upstream's controller calls a node unreachable when its lease was not renewed for this long. */
const GRACE_MS = 40_000;
const RENEW_MS = 10_000;

describeFakeOnly('half-open connections', 'a server that goes deaf', () => {
  const node = useClusterNode();
  const one = (name: string): string => podManifest(name, [container('main')]);
  const renewal = { resource: 'leases', verb: ['update', 'patch'], name: 'n1' } as const;
  const renewals = (since: number): number[] =>
    node.fake.recorder
      .find(renewal, since)
      .filter(({ status = 0 }) => status >= 200 && status < 300)
      .map(({ at }) => at);

  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  test('connections die for good without a word: the lease comes over new ones, and so does all else', async () => {
    await node.createPod(one('stays'));
    const stays = identity(await node.waitForPod('stays', isRunning));
    const admin = await node.fake.sideDoor();
    const frozen = Date.now();
    node.fake.freezeConnections();
    await createPodOn(admin, one('comes'), 'n1');
    // One renewal is missed at most: an interval, the time that one may take, and a moment.
    await eventually(async () => renewals(frozen).length > 0, RENEW_MS * 2 + 5000);
    await node.waitForPod('comes', isRunning, { timeoutMs: 30_000 });
    expect(node.fake.recorder.longestLeaseGap('n1', frozen - RENEW_MS * 2)).toBeLessThan(GRACE_MS);
    await node.waitForNode();
    expect(identity({ pod: (await node.pod('stays'))! })).toEqual(stays);
  });

  test('the server is deaf for 22 s: the lease is renewed within one missed renewal once it hears', async () => {
    const stays = identity({ pod: (await node.pod('stays'))! });
    const deaf = Date.now();
    node.fake.goDeaf();
    await wait(22_000);
    const before = node.fake.recorder.requests.length;
    node.fake.hear();
    const hears = Date.now();
    await eventually(async () => renewals(hears).length > 0, RENEW_MS + 2000);
    expect(node.fake.recorder.longestLeaseGap('n1', deaf - RENEW_MS * 2)).toBeLessThan(GRACE_MS);
    // All that could not be said meanwhile is not said a hundred times now.
    expect(node.fake.recorder.requests.length - before).toBeLessThan(100);
    await node.createPod(one('later'));
    await node.waitForPod('later', isRunning, { timeoutMs: 30_000 });
    expect(identity({ pod: (await node.pod('stays'))! })).toEqual(stays);
    await node.deletePod('later');
    await node.waitForGone('later');
  });
});

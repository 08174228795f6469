/** A watch that stays open and says nothing more, not even bookmarks, is noticed by its silence: after 90 s. */
import { afterAll, expect, test } from 'vitest';
import { container, hasPhase, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden, stepsBack } from './expectations.ts';

describeFakeOnly('a watch that stalls', 'a server that misbehaves', () => {
  const node = useClusterNode();
  const mine = { user: /^system:node:/ } as const;
  const one = (name: string): string => podManifest(name, [container('main')]);

  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  test('all watches at once: begun anew within their time, and everything is caught up with', async () => {
    const { client } = node.plane;
    const settings = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
    };
    await client.create(testResources.configMaps, { ...settings, data: { level: 'old' } });
    const reader = podManifest(
      'reader',
      [
        container('main', 'until grep -q new /settings/level; do sleep 1; done', {
          volumeMounts: [{ name: 'settings', mountPath: '/settings' }],
        }),
      ],
      { restartPolicy: 'Never', volumes: [{ name: 'settings', configMap: { name: 'settings' } }] },
    );
    for (const pod of [one('stays'), one('goes'), reader]) await node.createPod(pod);
    for (const name of ['stays', 'goes', 'reader']) await node.waitForPod(name, isRunning);
    const stays = identity({ pod: (await node.pod('stays'))! });
    // The watches that are open now, not the next.
    const stalled = Date.now();
    node.fake.stallOpenWatches(mine);
    await node.deletePod('goes');
    await node.createPod(one('comes'));
    await client.replace(testResources.configMaps, { ...settings, data: { level: 'new' } });
    const left = (): number => 100_000 - (Date.now() - stalled);
    await node.waitForPod('comes', isRunning, { timeoutMs: left() });
    await node.waitForGone('goes', { timeoutMs: left() });
    await node.waitForPod('reader', hasPhase('Succeeded'), { timeoutMs: left() + 10_000 });
    const watched = node.fake.recorder.find({ resource: 'pods', verb: 'watch', ...mine }, stalled);
    expect(watched).toHaveLength(1);
    expect(watched[0]!.at - stalled).toBeLessThan(95_000);
    // From where it was: nothing is listed again.
    expect(node.fake.recorder.count({ verb: 'list', resource: 'pods', ...mine }, stalled)).toBe(0);
    expect(identity({ pod: (await node.pod('stays'))! })).toEqual(stays);
    await eventually(async () => node.fake.recorder.longestLeaseGap('n1', stalled) < 20_000);
  }, 130_000);
});

/**
 * The node's wall clock is set by an hour, as the agent sees it (libfaketime). The runtime keeps the true time, hence
 * nothing here crashes or fails: what a jump does to pauses between tries is in src/kubelet/pod/follow-clock.test.ts.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { container, hasPhase, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';
import { forbidden, stepsBack } from './expectations.ts';

const library = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find((path) => existsSync(path));
const offset = join(tmpdir(), 'clock-offset');
const setClock = (seconds: number): Promise<void> =>
  writeFile(offset, `${seconds < 0 ? '' : '+'}${seconds}\n`);

function tests(preload: string): void {
  const node = useClusterNode({
    // Its certificate holds for 80 minutes, so that an hour passes the time of its renewal.
    identity: 'bootstrap',
    plane: { fake: { csr: { validitySeconds: 4800 } } },
    flags: ['--rotate-certificates=true'],
    prepare: () => setClock(0),
    env: {
      LD_PRELOAD: preload,
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
  });
  const requests = (): number =>
    node.fake.recorder.count({ resource: 'certificatesigningrequests', verb: 'create' });
  const tokenPod = podManifest(
    'bearer',
    [container('main', undefined, { volumeMounts: [{ name: 'token', mountPath: '/token' }] })],
    {
      volumes: [
        {
          name: 'token',
          projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }] },
        },
      ],
    },
  );
  const tokens = (): number => node.fake.recorder.count({ resource: 'serviceaccounts/token' });

  afterAll(() => {
    expect(stepsBack(node.fake.recorder)).toEqual([]);
    expect(forbidden(node.fake.recorder)).toEqual([]);
  });

  test('the agent sees the time that the test sets', async () => {
    await node.createPod(podManifest('stays', [container('main')]));
    await node.createPod(tokenPod);
    await node.waitForPod('stays', isRunning);
    await node.waitForPod('bearer', isRunning);
    expect([requests(), tokens()]).toEqual([1, 1]);
  });

  test.each([
    ['an hour forward', 3600],
    ['and back', 0],
    ['an hour back', -3600],
    ['and forward', 0],
  ])('%s: the node stays, pods run on, new ones come and go', async (what, seconds) => {
    const name = what.replaceAll(' ', '-');
    const stays = identity({ pod: (await node.pod('stays'))! });
    const [asked, made] = [requests(), tokens()];
    const since = Date.now();
    await setClock(seconds);
    await node.createPod(podManifest(name, [container('main')]));
    const { pod } = await node.waitForPod(name, isRunning, { timeoutMs: 20_000 });
    const seen = Date.parse(pod.status?.startTime ?? '') - since;
    expect(Math.abs(seen - seconds * 1000)).toBeLessThan(30_000);
    await node.createPod(
      podManifest(`${name}-once`, [container('main', 'exit 0')], { restartPolicy: 'Never' }),
    );
    await node.waitForPod(`${name}-once`, hasPhase('Succeeded'), { timeoutMs: 20_000 });
    await node.deletePod(name);
    await node.waitForGone(name, { timeoutMs: 20_000 });
    await wait(Math.max(0, since + 12_000 - Date.now()));
    await node.waitForNode();
    expect(identity({ pod: (await node.pod('stays'))! })).toEqual(stays);
    expect(node.fake.recorder.longestLeaseGap('n1', since - 10_000)).toBeLessThan(20_000);
    // A machine that was asleep for an hour sees its clock so, too: what has grown old is renewed.
    if (seconds > 0) await eventually(async () => tokens() > made, 40_000);
    // One renewal a jump at most.
    expect(requests() - asked).toBeLessThanOrEqual(1);
    expect(tokens() - made).toBeLessThanOrEqual(1);
  });

  test('nothing was refused', () => {
    const refused = node.fake.recorder.requests.filter(({ status }) => status === 401);
    expect(refused).toEqual([]);
  });
}

describeFakeOnly('the wall clock is set', 'only this node’s clock', () => {
  if (library === undefined) test('all', (context) => context.skip('libfaketime is not there'));
  else tests(library);
});

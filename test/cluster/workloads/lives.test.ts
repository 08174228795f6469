/** Pods' ends and refusals, and static pods, as the API server sees them; on either control plane. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { container, hasPhase, identity, isRunning, podManifest, statusOf } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { hasCondition } from './objects.ts';

const node = useClusterNode();
const { pods } = testResources;

/** Takes no notice of TERM. */
const deaf = 'trap "" TERM; while :; do sleep 1; done';

/** Whether the runtime or the disk has anything of a pod. */
async function isHere(name: string, uid: string): Promise<boolean> {
  const listed = await node.containerd.ctr('containers', 'list', `labels."io.kubernetes.pod.name"==${name}`);
  const folder = await access(join(node.agent.rootDir, 'pods', uid)).then(
    () => true,
    () => false,
  );
  return listed.trim().split('\n').length > 1 || folder;
}

const running = async (name: string, script?: string, grace = 5): Promise<string> => {
  await node.createPod(
    podManifest(name, [container('main', script)], { terminationGracePeriodSeconds: grace }),
  );
  const { pod } = await node.waitForPod(name, isRunning);
  return pod.metadata?.uid ?? '';
};

describe('a pod’s end', () => {
  test('by force: the object goes at once, its processes soon after', async () => {
    const uid = await running('forced', deaf, 60);
    await node.deletePod('forced', { gracePeriodSeconds: 0 });
    expect(await node.pod('forced')).toBeUndefined();
    await eventually(async () => !(await isHere('forced', uid)), 20_000);
  });

  test('a grace that is shortened while it runs counts', async () => {
    const uid = await running('shortened', deaf, 300);
    await node.deletePod('shortened');
    await node.deletePod('shortened', { gracePeriodSeconds: 2 });
    await node.waitForGone('shortened', { timeoutMs: 20_000 });
    await eventually(async () => !(await isHere('shortened', uid)), 5000);
  });

  test('that was asked for, or done by force, while the agent was down', async () => {
    const asked = await running('asked');
    const taken = await running('taken');
    const stays = await running('stays');
    const before = identity({ pod: (await node.pod('stays'))! });
    await node.agent.kill9();
    await node.deletePod('asked');
    await node.deletePod('taken', { gracePeriodSeconds: 0 });
    await node.createPod(podManifest('came', [container('main')]));
    expect(await isHere('taken', taken)).toBe(true);
    await node.agent.restart();
    await node.waitForPod('came', isRunning);
    await node.waitForGone('asked');
    await eventually(async () => !(await isHere('taken', taken)), 20_000);
    await eventually(async () => !(await isHere('asked', asked)), 5000);
    expect(await isHere('stays', stays)).toBe(true);
    expect(identity({ pod: (await node.pod('stays'))! })).toEqual(before);
  });

  test('a name is used again at once', async () => {
    const first = await running('twice');
    await node.deletePod('twice', { gracePeriodSeconds: 0 });
    const second = await running('twice');
    expect(second).not.toBe(first);
    await eventually(async () => !(await isHere('nobody', first)), 20_000);
    expect((await node.pod('twice'))?.metadata?.uid).toBe(second);
  });

  test('by its deadline', async () => {
    await node.createPod(podManifest('late', [container('main')], { activeDeadlineSeconds: 2 }));
    await node.waitForPod('late', isRunning);
    const { pod } = await node.waitForPod('late', hasPhase('Failed'));
    expect(pod.status).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    const { pod: ended } = await node.waitForPod(
      'late',
      (view) => statusOf(view)?.state?.terminated !== undefined,
    );
    const life = Date.parse(`${statusOf({ pod: ended })?.state?.terminated?.finishedAt}`);
    expect(life - Date.parse(`${ended.status?.startTime}`)).toBeGreaterThanOrEqual(2000);
    expect((await node.events('late')).map(({ reason }) => reason)).toContain('DeadlineExceeded');
    await node.deletePod('late');
    await node.waitForGone('late');
  });

  test('of its processes: it stays, finished, until it is deleted', async () => {
    await node.createPod(podManifest('done', [container('main', 'exit 0')], { restartPolicy: 'Never' }));
    const { pod } = await node.waitForPod('done', hasPhase('Succeeded'));
    await node.agent.restart();
    await running('after-done');
    expect((await node.pod('done'))?.status).toEqual(pod.status);
    await node.deletePod('done');
    await node.waitForGone('done');
  });
});

test('a pod that the node has no room for stays Failed until it is deleted', async () => {
  const resources = { requests: { cpu: '1k' } };
  await node.createPod(podManifest('huge', [container('main', undefined, { resources })]));
  const { pod } = await node.waitForPod('huge', hasPhase('Failed'));
  expect(pod.status?.reason).toBe('OutOfcpu');
  expect(pod.status?.message).toMatch(
    /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: \d+, capacity: \d+$/,
  );
  expect((await node.events('huge')).map(({ reason, type }) => [reason, type])).toEqual([
    ['OutOfcpu', 'Warning'],
  ]);
  await node.agent.restart();
  await running('after-huge');
  expect((await node.pod('huge'))?.status).toEqual(pod.status);
  expect(await isHere('huge', pod.metadata?.uid ?? '')).toBe(false);
  await node.deletePod('huge');
  await node.waitForGone('huge');
});

describe('a static pod', () => {
  const file = 'static.json';
  const mirror = 'static-n1';
  const text = podManifest('static', [container('main')]);

  test('is seen in the API with its status', async () => {
    await node.agent.write(file, text);
    const { pod } = await node.waitForPod(mirror, isRunning);
    const annotations = pod.metadata?.annotations ?? {};
    expect(Object.keys(annotations).sort()).toEqual([
      'kubernetes.io/config.hash',
      'kubernetes.io/config.mirror',
      'kubernetes.io/config.seen',
      'kubernetes.io/config.source',
    ]);
    expect(annotations['kubernetes.io/config.source']).toBe('file');
    expect(annotations['kubernetes.io/config.mirror']).toBe(annotations['kubernetes.io/config.hash']);
    expect(pod.metadata?.ownerReferences).toMatchObject([
      { apiVersion: 'v1', kind: 'Node', name: 'n1', controller: true },
    ]);
    expect(hasCondition(pod, 'Ready')).toBe(true);
    expect(pod.spec?.tolerations).toContainEqual({ operator: 'Exists', effect: 'NoExecute' });
  });

  test('its mirror comes again when somebody deletes it; the pod runs on', async () => {
    const { pod: before } = await node.waitForPod(mirror, isRunning);
    await node.deletePod(mirror);
    const { pod: after } = await node.waitForPod(
      mirror,
      ({ pod }) => pod.metadata?.uid !== before.metadata?.uid && isRunning({ pod }),
    );
    expect(statusOf({ pod: after })?.containerID).toBe(statusOf({ pod: before })?.containerID);
  });

  test('its mirror goes with its manifest, also while the agent is down', async () => {
    await node.agent.remove(file);
    await node.waitForGone(mirror);
    await node.agent.write(file, text);
    await node.waitForPod(mirror, isRunning);
    await node.agent.kill9();
    await node.agent.remove(file);
    await node.agent.restart();
    await node.waitForGone(mirror);
    await eventually(async () => !(await isHere(mirror, '-')), 20_000);
    expect(await node.plane.client.find(pods, { name: mirror })).toBeUndefined();
  });
});

import { readFile } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { container, hasPhase, podManifest } from '#test/bed/manifests.ts';
import { certificateOf, useClusterNode } from '#test/control-plane/cluster-node.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly, describeRealOnly, usesReal } from '#test/control-plane/start.ts';

const node = useClusterNode({ start: false });

test('the run says which control plane it uses', () => {
  expect(node.plane.isReal).toBe(usesReal);
  expect(node.plane.title).toMatch(usesReal ? /^Kubernetes v1\.\d+\.\d+/ : /fake/);
  expect(node.plane.url).toMatch(/^https:\/\/192\.0\.2\.10:\d+$/);
});

test('the agent is to be a node of it', async () => {
  const certificate = new X509Certificate(await certificateOf(node.kubeconfig));
  expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:n1');
  expect(certificate.checkIssued(new X509Certificate(node.plane.ca))).toBe(true);
  expect(await readFile(node.kubeconfig, 'utf8')).toContain(node.plane.url);
});

test('pods are created here, watched by name, and deleted', async () => {
  const manifest = (name: string): string =>
    podManifest(name, [container('main')], { automountServiceAccountToken: false });
  const made = await node.createPod(manifest('here'));
  expect(made.spec).toMatchObject({ nodeName: 'n1', terminationGracePeriodSeconds: 5 });
  const bound = await node.createAndBind(manifest('bound'));
  const { pod } = await node.waitForPod('bound', (view) => view.pod.spec?.nodeName === 'n1');
  expect(pod.metadata?.uid).toBe(bound.metadata?.uid);
  // Nobody runs it: the wait ends, and says what there is.
  await expect(node.waitForPod('here', hasPhase('Running'), { timeoutMs: 200 })).rejects.toThrow(
    /pod here: not within 200 ms[\s\S]*"name":"here"[\s\S]*Pending/,
  );
  await node.deletePod('here');
  expect((await node.pod('here'))?.metadata?.deletionTimestamp).toBeDefined();
  await node.deletePod('here', { gracePeriodSeconds: 0 });
  await node.waitForGone('here');
});

test('events of a pod', async () => {
  const { client } = node.plane;
  for (const [at, reason] of [
    ['2024-01-01T00:00:02Z', 'Second'],
    ['2024-01-01T00:00:01Z', 'First'],
  ] as const) {
    await client.create(testResources.events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: 'e', namespace: 'default' },
      involvedObject: { kind: 'Pod', namespace: 'default', name: 'told' },
      reason,
      firstTimestamp: at,
      lastTimestamp: at,
    });
  }
  expect((await node.events('told')).map(({ reason }) => reason)).toEqual(['First', 'Second']);
});

describeRealOnly('kubectl', 'the fake has none', () => {
  test('speaks as the admin', async () => {
    expect(await node.kubectl('auth', 'whoami', '-o', 'name')).toContain('selfsubjectreview');
    expect(await node.kubectl('get', 'nodes', '-o', 'name')).toBe('');
  });
});

describeFakeOnly('misbehaviour', 'the real server does not on command', () => {
  test('is at hand', async () => {
    const fault = node.fake.misbehave({ resource: 'nodes' }, { type: 'refuse', status: 500 }, 1);
    await expect(node.plane.client.list(testResources.nodes)).rejects.toMatchObject({ status: 500 });
    expect(fault.hits).toBe(1);
  });
});

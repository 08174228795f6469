/** The node's client certificate has ended, or ends while the agent runs. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import type { Node } from '#lib/kube/types.ts';
import { container, identity, isRunning, podManifest } from '#test/bed/manifests.ts';
import { useClusterNode } from '#test/control-plane/cluster-node.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeFakeOnly } from '#test/control-plane/start.ts';

const seconds = (count: number): Date => new Date(Date.now() + count * 1000);

describeFakeOnly('a client certificate', 'the fake’s own certificates and refusals', () => {
  const node = useClusterNode({
    start: false,
    manifests: { 'fixed.yaml': podManifest('fixed', [container('main')]) },
  });
  let bootstrap: string;
  beforeAll(async () => {
    bootstrap = join(node.agent.dir, 'bootstrap-kubelet.conf');
    await writeFile(bootstrap, await node.plane.bootstrapKubeconfig(), { mode: 0o600 });
  });

  /** In one go, as kubeadm and configuration tools do. */
  const writeKubeconfig = async (text: string): Promise<void> => {
    await writeFile(`${node.kubeconfig}.new`, text, { mode: 0o600 });
    await rename(`${node.kubeconfig}.new`, node.kubeconfig);
  };
  const valid = (notAfter?: Date): Promise<string> =>
    node.plane.kubeletKubeconfig('n1', notAfter === undefined ? {} : { notAfter });
  const start = async (kubeconfig: string, ...flags: string[]): Promise<void> => {
    await node.agent.stop();
    await rm(join(node.kubeconfig, '../pki'), { recursive: true, force: true });
    await writeKubeconfig(kubeconfig);
    node.fake.recorder.clear();
    await node.agent.restart(...flags);
  };
  const renewals = (since: number): number =>
    node.fake.recorder
      .find({ resource: 'leases', name: 'n1', verb: ['update', 'patch'] }, since)
      .filter(({ status }) => status === 200).length;
  const refusals = (): number => node.fake.recorder.requests.filter(({ status }) => status === 401).length;
  const requests = (): number =>
    node.fake.recorder.count({ resource: 'certificatesigningrequests', verb: 'create' });
  const fixed = async (): Promise<unknown> => identity(await node.agent.waitForPod('fixed', isRunning));
  let first: unknown;

  test('that has ended before the start, nothing to get another with: static pods run, and a new kubelet.conf is taken up', async () => {
    await start(await valid(seconds(-60)));
    first = await fixed();
    await wait(8000);
    expect(await node.plane.client.find<Node>(testResources.nodes, { name: 'n1' })).toBeUndefined();
    expect(refusals()).toBeGreaterThan(0);
    expect(refusals()).toBeLessThan(60);
    expect(await node.agent.log()).toMatch(/refuses the credentials of this node[^"]*--bootstrap-kubeconfig/);
    await writeKubeconfig(await valid());
    await node.waitForNode(undefined, 70_000);
    await node.waitForPod('fixed-n1', isRunning);
    expect(await fixed()).toEqual(first);
  });

  test('that has ended before the start, with a bootstrap kubeconfig: another is got', async () => {
    const since = Date.now();
    await start(await valid(seconds(-60)), `--bootstrap-kubeconfig=${bootstrap}`);
    await eventually(async () => renewals(since) > 0, 30_000);
    expect(requests()).toBe(1);
    expect(await readFile(node.kubeconfig, 'utf8')).toContain('kubelet-client-current.pem');
    expect(await fixed()).toEqual(first);
  });

  test('that ends while the agent runs, with a bootstrap kubeconfig: another is got, and no renewal is missed', async () => {
    const since = Date.now();
    await start(await valid(seconds(20)), `--bootstrap-kubeconfig=${bootstrap}`);
    await eventually(async () => renewals(since) > 0, 15_000);
    await wait(Math.max(0, since + 22_000 - Date.now()));
    await eventually(async () => renewals(since + 22_000) > 0, 20_000);
    expect(requests()).toBe(1);
    expect(node.fake.recorder.longestLeaseGap('n1', since)).toBeLessThan(25_000);
    expect(await fixed()).toEqual(first);
  });

  test('that ends while the agent runs, nothing to get another with: pods run on, and its successor is taken up', async () => {
    const since = Date.now();
    await start(await valid(seconds(8)));
    await wait(Math.max(0, since + 12_000 - Date.now()));
    expect(refusals()).toBeGreaterThan(0);
    const written = Date.now();
    await writeKubeconfig(await valid());
    await eventually(async () => renewals(written) > 0, 20_000);
    expect(requests()).toBe(0);
    expect(await fixed()).toEqual(first);
  });

  test('that is replaced on disk before it ends: nothing is ever refused', async () => {
    const since = Date.now();
    await start(await valid(seconds(20)));
    await eventually(async () => renewals(since) > 0, 15_000);
    await writeKubeconfig(await valid());
    await wait(Math.max(0, since + 24_000 - Date.now()));
    await node.createPod(podManifest('later', [container('main')]));
    await node.waitForPod('later', isRunning, { timeoutMs: 20_000 });
    await eventually(async () => renewals(since + 22_000) > 0, 20_000);
    expect([refusals(), requests()]).toEqual([0, 0]);
    expect(await fixed()).toEqual(first);
  });
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startAgent } from '#test/bed/agent.ts';
import type { TestAgent } from '#test/bed/agent.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { container, identity, isRunning, podManifest, untilTerm } from '#test/bed/manifests.ts';

const version = (name: string, value: string): string =>
  podManifest(name, [container('main', untilTerm, { env: [{ name: 'V', value }] })]);
const shows = (value: string) => (view: Parameters<typeof isRunning>[0]) =>
  isRunning(view) && view.pod.spec?.containers[0]?.env?.[0]?.value === value;

// Two agents on one runtime would end each other's pods.
let containerd: TestContainerd;
beforeAll(async () => {
  containerd = await startContainerd();
});
afterAll(() => containerd.destroy());

describe('other sources', () => {
  let other: TestAgent | undefined;
  afterEach(async () => {
    await other?.destroy();
    other = undefined;
  });

  test('a URL, asked with its header: pods come, change, survive its failure, and go', async () => {
    let answer: { status: number; body: string } = { status: 200, body: version('web', '1') };
    const seen = new Set<string | undefined>();
    const server = createServer((request, response) => {
      seen.add(request.headers['x-token']?.toString());
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    }).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      other = await startAgent({
        containerd,
        nodeName: 'url',
        flags: [
          `--manifest-url=http://127.0.0.1:${port}/pods`,
          '--manifest-url-header=X-Token:secret',
          '--http-check-frequency=200ms',
        ],
      });
      await other.waitForPod('web', shows('1'));
      expect([...seen]).toEqual(['secret']);
      answer = { status: 200, body: version('web', '2') };
      const before = identity(await other.waitForPod('web', shows('2')));
      answer = { status: 500, body: 'broken' };
      await other.waitFor(async () =>
        (await other?.client.problems())?.some(({ lastGoodRuns }) => lastGoodRuns),
      );
      expect(identity(await other.waitForPod('web', shows('2')))).toEqual(before);
      answer = { status: 200, body: JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [] }) };
      await other.waitForGone('web');
    } finally {
      server.close();
    }
  });

  test('nodelet kubelet --pod-manifest-path: any ending, but no hidden file', async () => {
    other = await startAgent({
      containerd,
      mode: 'kubelet',
      nodeName: 'role',
      manifests: { 'static-web': version('web', '1'), '.hidden': version('hidden', '1') },
    });
    const view = await other.waitForPod('web', shows('1'));
    expect(view.pod.metadata?.name).toBe('web-role');
    expect(view.pod.metadata?.annotations?.['kubernetes.io/config.source']).toBe('file');
    expect(await other.pod('hidden')).toBeUndefined();
    const refused = await other.cliWithInput(version('no', '1'), 'apply', '-f', '-');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('apply works in standalone mode');
  });
});

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, writeFile, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Node, Pod } from '#lib/kube/types.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { createPodOn } from '#test/control-plane/actions.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { useControlPlane } from '#test/control-plane/start.ts';
import { podManifest, container } from '#test/bed/manifests.ts';
import { parse } from 'yaml';

const plane = useControlPlane();
let containerd: TestContainerd;
let dir: string;
let child: ReturnType<typeof spawn>;
const program = fileURLToPath(new URL('../../../bin/nodelet', import.meta.url));
beforeAll(async () => {
  containerd = await startContainerd({});
  dir = await mkdtemp(join(tmpdir(), 'smoke-'));
  await writeFile(join(dir, 'kubeconfig'), await plane().kubeletKubeconfig('n1'));
  const out = await open(join(dir, 'log'), 'a');
  child = spawn(
    program,
    [
      'kubelet',
      `--kubeconfig=${dir}/kubeconfig`,
      `--container-runtime-endpoint=${containerd.endpoint}`,
      `--root-dir=${dir}/root`,
      `--cert-dir=${dir}/root/pki`,
      `--pod-logs-dir=${dir}/pods`,
      `--container-logs-dir=${dir}/containers`,
      `--socket=${dir}/sock`,
      '--hostname-override=n1',
      '--v=4',
      '--fail-swap-on=false',
    ],
    { stdio: ['ignore', out.fd, out.fd] },
  );
});
afterAll(async () => {
  child.kill('SIGTERM');
  await wait(1500);
  console.log((await readFile(join(dir, 'log'), 'utf8')).split('\n').slice(-60).join('\n'));
  await containerd.destroy();
});
test('joins, runs a pod, deletes it', async () => {
  const { client } = plane();
  const until = async <T>(f: () => Promise<T | undefined>): Promise<T> => {
    for (let i = 0; i < 300; i++) {
      const v = await f().catch(() => undefined);
      if (v) return v;
      await wait(50);
    }
    throw new Error('not in time');
  };
  const t0 = Date.now();
  const node = await until(async () => {
    const n = await client.find<Node>(testResources.nodes, { name: 'n1' });
    return n?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ? n : undefined;
  });
  console.log('ready after', Date.now() - t0, JSON.stringify(node, null, 1));
  const manifest = parse(podManifest('web', [container('main')])) as Pod;
  const t1 = Date.now();
  const pod = await createPodOn(client, manifest, 'n1');
  const at = { namespace: 'default', name: 'web' };
  const running = await until(async () => {
    const p = await client.find<Pod>(testResources.pods, at);
    return p?.status?.phase === 'Running' ? p : undefined;
  });
  console.log('running after', Date.now() - t1, JSON.stringify(running.status, null, 1));
  const t2 = Date.now();
  await client.delete(testResources.pods, at);
  await until(async () => ((await client.find(testResources.pods, at)) === undefined ? true : undefined));
  console.log('gone after', Date.now() - t2);
  expect(pod).toBeDefined();
});

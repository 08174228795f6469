/** Who is measured: nodelet, and kubelet where NODELET_BENCH_KUBELET names its program. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Node } from '#lib/kube/types.ts';
import { prepareAgent } from '#test/bed/agent.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { isReady, joinFlags } from '#test/control-plane/cluster-node.ts';
import type { ControlPlane } from '#test/control-plane/control-plane.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { Service } from '#test/control-plane/real/service.ts';
import { testResources } from '#test/control-plane/resources.ts';

export interface Contender {
  readonly title: 'nodelet' | 'kubelet';
  readonly nodeName: string;
  /** Starts the process and doesn't wait. */
  spawn(): Promise<void>;
  stop(): Promise<void>;
  pid(): number;
  log(): Promise<string>;
}

export async function nodelet(plane: ControlPlane, containerd: TestContainerd): Promise<Contender> {
  const nodeName = 'by-nodelet';
  const dir = await mkdtemp(join(tmpdir(), 'join-'));
  const { flags } = await joinFlags(plane, nodeName, 'certificate', dir);
  const agent = await prepareAgent({ nodeName, mode: 'kubelet', containerd, flags: [...flags, '--v=0'] });
  return {
    title: 'nodelet',
    nodeName,
    spawn: () => agent.spawn(),
    stop: async () => void (await agent.stop()),
    pid: () => agent.pid(),
    log: () => agent.log(),
  };
}

/** With what the test bed asks for, and upstream's defaults. */
const configuration = (dir: string, endpoint: string): object => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  authentication: { webhook: { enabled: false }, anonymous: { enabled: true } },
  authorization: { mode: 'AlwaysAllow' },
  containerRuntimeEndpoint: endpoint,
  cgroupDriver: 'cgroupfs',
  failCgroupV1: false,
  failSwapOn: false,
  podLogsDir: join(dir, 'pods'),
  resolvConf: '/etc/resolv.conf',
});

export async function kubelet(
  program: string,
  plane: ControlPlane,
  containerd: TestContainerd,
): Promise<Contender> {
  const nodeName = 'by-kubelet';
  const dir = await mkdtemp(join(tmpdir(), 'kubelet-'));
  await mkdir(join(dir, 'root'));
  await writeFile(join(dir, 'kubeconfig'), await plane.kubeletKubeconfig(nodeName), { mode: 0o600 });
  await writeFile(join(dir, 'config.yaml'), JSON.stringify(configuration(dir, containerd.endpoint)));
  const service = new Service(
    'kubelet',
    program,
    [
      `--config=${join(dir, 'config.yaml')}`,
      `--kubeconfig=${join(dir, 'kubeconfig')}`,
      `--root-dir=${join(dir, 'root')}`,
      `--cert-dir=${join(dir, 'root/pki')}`,
      `--hostname-override=${nodeName}`,
      '--node-ip=192.0.2.10',
    ],
    join(dir, 'log'),
  );
  return {
    title: 'kubelet',
    nodeName,
    spawn: () => service.start(),
    stop: () => service.end('SIGTERM'),
    pid: () => service.pid(),
    log: () => service.log(),
  };
}

const { nodes } = testResources;

/** Milliseconds from the start of the process to a Ready node; before, the node is said to be unknown, if it is there. */
export async function startUntilReady(plane: ControlPlane, contender: Contender): Promise<number> {
  const at = { name: contender.nodeName };
  if ((await plane.client.find<Node>(nodes, at)) !== undefined) {
    const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
    await plane.client.patch(nodes, { ...at, subresource: 'status' }, { status: { conditions } });
  }
  const begin = performance.now();
  await contender.spawn();
  try {
    await eventually(async () => {
      const node = await plane.client.find<Node>(nodes, at);
      return node !== undefined && isReady(node);
    }, 60_000);
  } catch (error) {
    const log = (await contender.log()).slice(-4000);
    throw new Error(`${contender.title} does not become Ready:\n${log}`, { cause: error });
  }
  return performance.now() - begin;
}

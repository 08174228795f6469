/** `nodelet kubelet` as a process, joined to a control plane. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import type { Node } from '#lib/kube/types.ts';
import { removeCgroups } from '#test/bed/bed.ts';
import { type TestContainerd, startContainerd } from '#test/bed/containerd.ts';
import type { ControlPlane } from '#test/control-plane/control-plane.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { eventually } from '#test/control-plane/eventually.ts';

const program = fileURLToPath(new URL('../../../bin/nodelet', import.meta.url));

export class Kubelet {
  readonly containerd: TestContainerd;
  readonly dir: string;
  readonly name: string;
  #child: ChildProcess | undefined;

  private constructor(containerd: TestContainerd, dir: string, name: string) {
    this.containerd = containerd;
    this.dir = dir;
    this.name = name;
  }

  /** Resolves when the node is Ready. */
  static async join(plane: ControlPlane, name: string): Promise<Kubelet> {
    const containerd = await startContainerd();
    const dir = await mkdtemp(join(tmpdir(), 'kubelet-'));
    const kubelet = new Kubelet(containerd, dir, name);
    await writeFile(join(dir, 'kubeconfig'), await plane.kubeletKubeconfig(name));
    await kubelet.start();
    await eventually(async () => {
      const node = await plane.client.find<Node>(testResources.nodes, { name });
      return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    });
    return kubelet;
  }

  async start(): Promise<void> {
    const out = await open(join(this.dir, 'log'), 'a');
    const flags = [
      `--kubeconfig=${this.dir}/kubeconfig`,
      `--container-runtime-endpoint=${this.containerd.endpoint}`,
      `--root-dir=${this.dir}/root`,
      `--cert-dir=${this.dir}/root/pki`,
      `--pod-logs-dir=${this.dir}/pods`,
      `--container-logs-dir=${this.dir}/containers`,
      `--socket=${this.dir}/sock`,
      `--hostname-override=${this.name}`,
      '--fail-swap-on=false',
      '--v=4',
    ];
    this.#child = spawn(program, ['kubelet', ...flags], { stdio: ['ignore', out.fd, out.fd] });
    await out.close();
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  log(): Promise<string> {
    return readFile(join(this.dir, 'log'), 'utf8');
  }

  /** A file of a pod's volume. */
  volumeFile(uid: string, kind: string, volume: string, path: string): Promise<string> {
    return readFile(join(this.dir, 'root/pods', uid, 'volumes', kind, volume, path), 'utf8');
  }

  async destroy(): Promise<void> {
    await this.end('SIGTERM');
    for (const { mountPoint } of mountsBelow(await readMounts(), this.dir))
      await unmount(mountPoint, { detach: true });
    await this.containerd.destroy();
    await removeCgroups('kubepods');
    await rm(this.dir, { recursive: true, force: true });
  }
}

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import type { ContainerConfig, Image, PodSandboxConfig } from '#cri/types.ts';
import { containerConfig } from '#kubelet/spec/container-config.ts';
import { sandboxConfig } from '#kubelet/spec/sandbox-config.ts';
import { containerResources } from '#cgroups/compute.ts';
import { agentPod } from './workload.ts';

export interface BarePod {
  sandboxId: string;
  containerId: string;
}

export interface BareRun {
  pods: BarePod[];
  /** Milliseconds from the first call until each container ran, in order. */
  started: number[];
}

interface Prepared {
  sandbox: PodSandboxConfig;
  container: ContainerConfig;
}

const GRACE_SECONDS = 5;

/**
 * The CRI calls that a pod is made of, and nothing else: what the agent is measured against. The requests are the
 * agent's own, made beforehand, but for the labels: without those no agent takes the pods for its own.
 */
export class BareCalls {
  readonly #connection: RuntimeConnection;
  readonly #image: Image;
  readonly #dir: string;

  constructor(connection: RuntimeConnection, image: Image, dir: string) {
    this.#connection = connection;
    this.#image = image;
    this.#dir = dir;
  }

  async start(count: number, concurrency: number): Promise<BareRun> {
    const prepared: Prepared[] = [];
    for (let i = 0; i < count; i += 1) prepared.push(await this.#prepare());
    const { runtime } = this.#connection;
    const pods: BarePod[] = [];
    const started: number[] = [];
    const begin = performance.now();
    await sideBySide(prepared, concurrency, async ({ sandbox, container }) => {
      const sandboxId = await runtime.runPodSandbox(sandbox, '');
      const containerId = await runtime.createContainer(sandboxId, container, sandbox);
      await runtime.startContainer(containerId);
      started.push(performance.now() - begin);
      pods.push({ sandboxId, containerId });
    });
    return { pods, started };
  }

  /** Milliseconds from the first call until all are gone. */
  async remove(pods: readonly BarePod[], concurrency: number): Promise<number> {
    const { runtime } = this.#connection;
    const begin = performance.now();
    await sideBySide(pods, concurrency, async ({ sandboxId, containerId }) => {
      await runtime.stopContainer(containerId, GRACE_SECONDS);
      await runtime.stopPodSandbox(sandboxId);
      await runtime.removePodSandbox(sandboxId);
    });
    return performance.now() - begin;
  }

  async #prepare(): Promise<Prepared> {
    const pod = agentPod(this.#image.repoTags[0] ?? this.#image.id);
    const { uid } = pod.metadata;
    const container = pod.spec.containers[0];
    if (container === undefined) throw new TypeError('a pod without a container');
    const dir = join(this.#dir, uid);
    const paths = { root: dir, podLogs: join(dir, 'logs'), containerLogs: join(dir, 'links') };
    const sandbox = sandboxConfig(pod, {
      attempt: 0,
      cgroupParent: `/bare/pod${uid}`,
      clusterDomain: '',
      dns: undefined,
      paths,
    });
    await mkdir(join(sandbox.logDirectory, container.name), { recursive: true });
    const terminationMessageFile = join(dir, 'termination-log');
    await writeFile(terminationMessageFile, '');
    const config = containerConfig({
      pod,
      container,
      attempt: 0,
      image: this.#image,
      imageRef: this.#image.id,
      variables: new Map(),
      volumes: new Map(),
      subPaths: new Map(),
      hostsFile: undefined,
      terminationMessageFile,
      resources: containerResources(pod, container, {
        cpuCfsQuota: true,
        cpuCfsQuotaPeriodUs: 100_000,
        memoryCapacityBytes: 8e9,
        cgroupVersion: 1,
        hugePageSizes: [],
        swapController: false,
      }),
      paths,
      seccompDefault: false,
      maskedPaths: [],
    });
    return { sandbox: { ...sandbox, labels: {} }, container: { ...config, labels: {} } };
  }
}

async function sideBySide<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const lane = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { DeleteOptions } from '#lib/kube/client.ts';
import type { Event, Node, Pod } from '#lib/kube/types.ts';
import { prepareAgent } from '#test/bed/agent.ts';
import type { AgentOptions, TestAgent } from '#test/bed/agent.ts';
import { nodeAddress } from '#test/bed/bed.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { ContainerdOptions, TestContainerd } from '#test/bed/containerd.ts';
import { bind, createPodOn } from './actions.ts';
import type { ControlPlane } from './control-plane.ts';
import { eventually } from './eventually.ts';
import { RealControlPlane } from './real/real-control-plane.ts';
import { testResources } from './resources.ts';
import { startControlPlane, theFake } from './start.ts';
import type { ControlPlaneOptions } from './start.ts';
import type { FakeControlPlane } from './fake/fake-control-plane.ts';

export interface ClusterNodeOptions extends Omit<AgentOptions, 'containerd' | 'mode'> {
  plane?: ControlPlaneOptions;
  runtime?: () => Promise<ContainerdOptions> | ContainerdOptions;
  /** How the agent proves who it is: a client certificate of its node, unless given, or a bootstrap token. */
  identity?: 'certificate' | 'bootstrap';
  /** Whether the agent starts before the first test; true unless given. */
  start?: boolean;
  /** Runs before the agent's first start, with the control plane up. */
  prepare?: (plane: ControlPlane) => Promise<void>;
}

/** A pod of the API server, as the predicates of test/bed/manifests.ts take it. */
export interface ApiView {
  pod: Pod;
}

/** Where a pod is; `default` unless given. */
export interface Place {
  namespace?: string;
}

/** A node of a cluster: a control plane, a containerd, and the agent between them. */
export interface ClusterNode {
  readonly plane: ControlPlane;
  /** Throws with the real control plane. */
  readonly fake: FakeControlPlane;
  readonly containerd: TestContainerd;
  /** The process: its log, kill9(), stop(), restart(). */
  readonly agent: TestAgent;
  readonly nodeName: string;
  /** The file that --kubeconfig names. */
  readonly kubeconfig: string;
  /** Creates a pod (JSON of podManifest, or an object) that is on this node from the start. */
  createPod(manifest: string | Pod): Promise<Pod>;
  /** As the scheduler does: created first, assigned after. */
  createAndBind(manifest: string | Pod): Promise<Pod>;
  /** Asks for the pod's end; `gracePeriodSeconds: 0` takes it away at once. */
  deletePod(name: string, options?: DeleteOptions & Place): Promise<void>;
  /** As the API server has it. */
  pod(name: string, place?: Place): Promise<Pod | undefined>;
  /** Polls the API server, for 60 s unless given; the error tells what it and the agent's log show. */
  waitForPod(
    name: string,
    holds: (view: ApiView) => boolean,
    options?: Place & { timeoutMs?: number },
  ): Promise<ApiView>;
  waitForGone(name: string, options?: Place & { timeoutMs?: number }): Promise<void>;
  /** This node's object, once it holds; Ready unless given. */
  waitForNode(holds?: (node: Node) => boolean, timeoutMs?: number): Promise<Node>;
  /** About the pod of this name, oldest first. */
  events(name: string, place?: Place): Promise<Event[]>;
  /** As the admin: its standard output. Only with the real control plane. */
  kubectl(...args: string[]): Promise<string>;
}

export const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true;

/** The agent's flags that join it to the cluster, and the files that they name, below `dir`. */
export async function joinFlags(
  plane: ControlPlane,
  nodeName: string,
  identity: 'certificate' | 'bootstrap',
  dir: string,
): Promise<{ flags: string[]; kubeconfig: string }> {
  const kubeconfig = join(dir, 'kubelet.conf');
  const flags = [`--kubeconfig=${kubeconfig}`, `--cert-dir=${join(dir, 'pki')}`, `--node-ip=${nodeAddress}`];
  if (identity === 'certificate') {
    await writeFile(kubeconfig, await plane.kubeletKubeconfig(nodeName), { mode: 0o600 });
    return { flags, kubeconfig };
  }
  const bootstrap = join(dir, 'bootstrap-kubelet.conf');
  await writeFile(bootstrap, await plane.bootstrapKubeconfig(), { mode: 0o600 });
  return { flags: [...flags, `--bootstrap-kubeconfig=${bootstrap}`], kubeconfig };
}

interface Parts {
  plane: ControlPlane;
  containerd: TestContainerd;
  agent: TestAgent;
  dir: string;
  kubeconfig: string;
}

const { pods, nodes } = testResources;

/** A node of a cluster for all tests of a file, gone afterwards. */
export function useClusterNode(options: ClusterNodeOptions = {}): ClusterNode {
  const nodeName = options.nodeName ?? 'n1';
  const parts: Partial<Parts> = {};
  const part = <K extends keyof Parts>(name: K): Parts[K] => {
    const found = parts[name];
    if (found === undefined) throw new Error(`${name} is not there yet`);
    return found;
  };

  beforeAll(async () => {
    const address = { address: nodeAddress };
    const { fake, real } = options.plane ?? {};
    parts.dir = await mkdtemp(join(tmpdir(), 'node-'));
    [parts.plane, parts.containerd] = await Promise.all([
      startControlPlane({ fake: { ...address, ...fake }, real: { ...address, ...real } }),
      Promise.resolve(options.runtime?.() ?? {}).then(startContainerd),
    ]);
    await options.prepare?.(parts.plane);
    const joined = await joinFlags(parts.plane, nodeName, options.identity ?? 'certificate', parts.dir);
    parts.kubeconfig = joined.kubeconfig;
    parts.agent = await prepareAgent({
      ...options,
      nodeName,
      mode: 'kubelet',
      containerd: parts.containerd,
      flags: [...joined.flags, ...(options.flags ?? [])],
    });
    if (options.start ?? true) {
      await parts.agent.restart();
      await node.waitForNode();
    }
  });

  afterAll(async () => {
    try {
      await endPods();
    } finally {
      try {
        await parts.agent?.destroy();
      } finally {
        await parts.containerd?.destroy();
        await parts.plane?.destroy();
        if (parts.dir !== undefined) await rm(parts.dir, { recursive: true, force: true });
      }
    }
  });

  /** Whatever a test has left must not keep the agent, which ends only when no pod is left. */
  async function endPods(): Promise<void> {
    if (parts.plane === undefined || parts.agent === undefined) return;
    const { client, fake } = parts.plane;
    fake?.behave();
    await parts.plane.start().catch(() => undefined);
    const { items } = await client.list<Pod>(pods, { fieldSelector: `spec.nodeName=${nodeName}` });
    for (const { metadata } of items) {
      const at = { name: metadata?.name ?? '', namespace: metadata?.namespace ?? '' };
      if ((metadata?.finalizers ?? []).length > 0) {
        await client.patch(pods, at, { metadata: { finalizers: null } }, 'merge');
      }
      await client.delete(pods, at, { gracePeriodSeconds: 0 }).catch(() => undefined);
    }
  }

  async function report(what: string, cause: unknown): Promise<Error> {
    const shown = await part('plane')
      .client.list<Pod>(pods)
      .then(
        ({ items }) => items.map(({ metadata, status }) => JSON.stringify({ name: metadata?.name, status })),
        (error: unknown) => [String(error)],
      );
    const log = (await part('agent').log()).trimEnd().split('\n').slice(-15);
    const lines = [...shown.map((line) => line.slice(0, 1500)), ...log.map((line) => line.slice(0, 300))];
    return new Error(`${what}; the API server and the agent's log show:\n${lines.join('\n')}`, { cause });
  }

  const waitFor = async <T>(
    what: string,
    call: () => Promise<T | undefined | false>,
    ms = 60_000,
  ): Promise<T> => {
    try {
      return await eventually(call, ms);
    } catch (error) {
      throw await report(`${what}: not within ${ms} ms`, error);
    }
  };

  const node: ClusterNode = {
    nodeName,
    get plane() {
      return part('plane');
    },
    get fake() {
      return theFake(part('plane'));
    },
    get containerd() {
      return part('containerd');
    },
    get agent() {
      return part('agent');
    },
    get kubeconfig() {
      return part('kubeconfig');
    },
    createPod: (manifest) => createPodOn(part('plane').client, manifest, nodeName),
    async createAndBind(manifest) {
      const { client } = part('plane');
      const pod = await client.create<Pod>(
        pods,
        typeof manifest === 'string' ? JSON.parse(manifest) : manifest,
      );
      await bind(client, pod, nodeName);
      return pod;
    },
    async deletePod(name, { namespace = 'default', ...rest } = {}) {
      await part('plane').client.delete(pods, { name, namespace }, rest);
    },
    pod: (name, place = {}) => part('plane').client.find<Pod>(pods, { name, ...place }),
    waitForPod: (name, holds, { timeoutMs, ...place } = {}) =>
      waitFor(
        `pod ${name}`,
        async () => {
          const pod = await node.pod(name, place);
          return pod !== undefined && holds({ pod }) && { pod };
        },
        timeoutMs,
      ),
    async waitForGone(name, { timeoutMs, ...place } = {}) {
      await waitFor(`pod ${name} gone`, async () => (await node.pod(name, place)) === undefined, timeoutMs);
    },
    waitForNode: (holds = isReady, timeoutMs) =>
      waitFor(
        `node ${nodeName}`,
        async () => {
          const found = await part('plane').client.find<Node>(nodes, { name: nodeName });
          return found !== undefined && holds(found) && found;
        },
        timeoutMs,
      ),
    async events(name, { namespace = 'default' } = {}) {
      const { items } = await part('plane').client.list<Event>(testResources.events, { namespace });
      const time = ({ eventTime, firstTimestamp }: Event): string => eventTime ?? firstTimestamp ?? '';
      return items
        .filter((event) => event.involvedObject.name === name)
        .sort((a, b) => time(a).localeCompare(time(b)));
    },
    kubectl(...args) {
      const plane = part('plane');
      if (!(plane instanceof RealControlPlane)) throw new Error(`${plane.title} has no kubectl`);
      return plane.kubectl(...args);
    },
  };
  return node;
}

/** The client certificate in a kubeconfig of the agent, PEM: inside it or in the file that it names. */
export async function certificateOf(kubeconfig: string): Promise<string> {
  const text = await readFile(kubeconfig, 'utf8');
  const inside = /client-certificate-data"?: *"?([A-Za-z0-9+/=]+)/.exec(text)?.[1];
  if (inside !== undefined) return Buffer.from(inside, 'base64').toString();
  const file = /client-certificate"?: *"?([^"\n]+)/.exec(text)?.[1];
  if (file === undefined) throw new Error(`${kubeconfig} has no client certificate`);
  return readFile(file, 'utf8');
}

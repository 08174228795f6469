/** What the API server knows of the CSI drivers of this node: in the CSINode object, and in the Node's labels. */
import { NodeletError } from '#lib/errors.ts';
import { isApiConflict } from '#lib/kube/api-error.ts';
import { type KubeClient, resources } from '#lib/kube/client.ts';
import type { Node } from '#lib/kube/types.ts';
import type { CsiNodeInfo } from '#volumes/csi/node-service.ts';
import type { CsiNode } from '../node/csi-node.ts';

const NODE_IDS = 'csi.volume.kubernetes.io/nodeid';
const MAX_COUNT = 2 ** 31 - 1;
const ATTEMPTS = 5;

export class CsiNodeError extends NodeletError {
  readonly code = 'CSI_NODE';
}

export interface CsiNodeDriversOptions {
  nodeName: string;
  client: Pick<KubeClient, 'get' | 'replace' | 'patch'>;
}

interface Driver {
  name: string;
  nodeID: string;
  topologyKeys: string[] | null;
  allocatable?: { count: number };
}

export class CsiNodeDrivers {
  readonly #options: CsiNodeDriversOptions;

  constructor(options: CsiNodeDriversOptions) {
    this.#options = options;
  }

  /** Writes the driver down, in the Node first, as upstream: what the CSINode names must be there. */
  async install(name: string, info: CsiNodeInfo, signal: AbortSignal): Promise<void> {
    if (info.nodeId === '')
      throw new CsiNodeError('the driver’s NodeGetInfo gives no node ID', { retryable: true });
    await this.#patchNode(name, info, signal);
    const { nodeId, topology, maxVolumesPerNode: max } = info;
    const driver: Driver = {
      name,
      nodeID: nodeId,
      topologyKeys: topology === undefined ? null : Object.keys(topology).toSorted(),
      ...(max > 0 ? { allocatable: { count: Math.min(max, MAX_COUNT) } } : {}),
    };
    await this.#change(signal, (drivers) => [...drivers.filter((each) => each.name !== name), driver]);
  }

  /** The topology labels stay, as upstream's. */
  async uninstall(name: string, signal: AbortSignal): Promise<void> {
    await this.#change(signal, (drivers) => drivers.filter((each) => each.name !== name));
    await this.#patchNode(name, undefined, signal);
  }

  async #patchNode(name: string, info: CsiNodeInfo | undefined, signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#options;
    const node = await client.get<Node>(resources.nodes, { name: nodeName }, { signal });
    const { annotations, labels } = node.metadata ?? {};
    const ids = readIds(annotations?.[NODE_IDS]);
    for (const [key, value] of Object.entries(info?.topology ?? {})) {
      const present = labels?.[key];
      if (present !== undefined && present !== value) {
        throw new CsiNodeError(
          `detected topology value collision: driver reported ${JSON.stringify(key)}:${JSON.stringify(value)} but existing ` +
            `label is ${JSON.stringify(key)}:${JSON.stringify(present)}`,
          { retryable: true },
        );
      }
    }
    const next = info === undefined ? without(ids, name) : { ...ids, [name]: info.nodeId };
    const text = Object.keys(next).length === 0 ? null : JSON.stringify(next);
    const isKnown = (annotations?.[NODE_IDS] ?? null) === text;
    const isLabelled = Object.keys(info?.topology ?? {}).every((key) => labels?.[key] !== undefined);
    if (isKnown && isLabelled) return;
    const body = {
      metadata: {
        uid: node.metadata?.uid,
        annotations: { [NODE_IDS]: text },
        ...(info?.topology === undefined ? {} : { labels: info.topology }),
      },
    };
    await client.patch(resources.nodes, { name: nodeName }, { type: 'strategic', body }, { signal });
  }

  async #change(signal: AbortSignal, change: (drivers: Driver[]) => Driver[]): Promise<void> {
    const { client, nodeName: name } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const present = await client.get<CsiNode>(resources.csiNodes, { name }, { signal });
      const drivers = (present.spec?.drivers ?? []) as Driver[];
      const next = change(drivers);
      if (JSON.stringify(next) === JSON.stringify(drivers)) return;
      try {
        await client.replace(
          resources.csiNodes,
          { name },
          { ...present, spec: { drivers: next } },
          { signal },
        );
        return;
      } catch (error) {
        if (!isApiConflict(error) || attempt >= ATTEMPTS) throw error;
      }
    }
  }
}

function readIds(text: string | undefined): Record<string, string> {
  try {
    return text === undefined ? {} : (JSON.parse(text) as Record<string, string>);
  } catch {
    return {};
  }
}

const without = (ids: Record<string, string>, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(ids).filter(([key]) => key !== name));

import { Channel } from '#cri/grpc/channel.ts';
import type { SchemaData } from '#cri/grpc/schema.ts';
import type {
  CsiExpand,
  CsiNodeCapability,
  CsiNodeInfo,
  CsiNodeService,
  CsiPublish,
  CsiStage,
  CsiVolumeUsage,
} from '#volumes/csi/node-service.ts';

/** Upstream's limit for a call on a driver. */
const DEADLINE_MS = 120_000;

/** The node service of CSI 1.x (https://github.com/container-storage-interface/spec/blob/master/csi.proto). */
export const csiSchema: SchemaData = {
  package: 'csi.v1',
  enums: {
    AccessModeMode: [
      'UNKNOWN',
      'SINGLE_NODE_WRITER',
      'SINGLE_NODE_READER_ONLY',
      'MULTI_NODE_READER_ONLY',
      'MULTI_NODE_SINGLE_WRITER',
      'MULTI_NODE_MULTI_WRITER',
      'SINGLE_NODE_SINGLE_WRITER',
      'SINGLE_NODE_MULTI_WRITER',
    ],
    CapabilityType: [
      'UNKNOWN',
      'STAGE_UNSTAGE_VOLUME',
      'GET_VOLUME_STATS',
      'EXPAND_VOLUME',
      'VOLUME_CONDITION',
      'SINGLE_NODE_MULTI_WRITER',
      'VOLUME_MOUNT_GROUP',
    ],
    UsageUnit: ['UNKNOWN', 'BYTES', 'INODES'],
  },
  messages: {
    Empty: {},
    AccessMode: { 1: ['mode', 'AccessModeMode'] },
    Mount: {
      1: ['fsType', 'string'],
      2: ['mountFlags', 'string', 'repeated'],
      3: ['volumeMountGroup', 'string'],
    },
    VolumeCapability: { 1: ['block', 'Empty'], 2: ['mount', 'Mount'], 3: ['accessMode', 'AccessMode'] },
    CapacityRange: { 1: ['requiredBytes', 'int64'], 2: ['limitBytes', 'int64'] },
    Topology: { 1: ['segments', 'map'] },
    Rpc: { 1: ['type', 'CapabilityType'] },
    Capability: { 1: ['rpc', 'Rpc'] },
    Capabilities: { 1: ['capabilities', 'Capability', 'repeated'] },
    Info: {
      1: ['nodeId', 'string'],
      2: ['maxVolumesPerNode', 'int64'],
      3: ['accessibleTopology', 'Topology'],
    },
    Stage: {
      1: ['volumeId', 'string'],
      2: ['publishContext', 'map'],
      3: ['stagingTargetPath', 'string'],
      4: ['volumeCapability', 'VolumeCapability'],
      5: ['secrets', 'map'],
      6: ['volumeContext', 'map'],
    },
    Unstage: { 1: ['volumeId', 'string'], 2: ['stagingTargetPath', 'string'] },
    Publish: {
      1: ['volumeId', 'string'],
      2: ['publishContext', 'map'],
      3: ['stagingTargetPath', 'string'],
      4: ['targetPath', 'string'],
      5: ['volumeCapability', 'VolumeCapability'],
      6: ['readonly', 'bool'],
      7: ['secrets', 'map'],
      8: ['volumeContext', 'map'],
    },
    Unpublish: { 1: ['volumeId', 'string'], 2: ['targetPath', 'string'] },
    StatsRequest: {
      1: ['volumeId', 'string'],
      2: ['volumePath', 'string'],
      3: ['stagingTargetPath', 'string'],
    },
    Usage: {
      1: ['available', 'int64'],
      2: ['total', 'int64'],
      3: ['used', 'int64'],
      4: ['unit', 'UsageUnit'],
    },
    Stats: { 1: ['usage', 'Usage', 'repeated'] },
    Expand: {
      1: ['volumeId', 'string'],
      2: ['volumePath', 'string'],
      3: ['capacityRange', 'CapacityRange'],
      4: ['stagingTargetPath', 'string'],
      5: ['volumeCapability', 'VolumeCapability'],
      6: ['secrets', 'map'],
    },
    Expanded: { 1: ['capacityBytes', 'int64'] },
  },
  services: {
    Node: {
      NodeGetInfo: ['Empty', 'Info'],
      NodeGetCapabilities: ['Empty', 'Capabilities'],
      NodeStageVolume: ['Stage', 'Empty'],
      NodeUnstageVolume: ['Unstage', 'Empty'],
      NodePublishVolume: ['Publish', 'Empty'],
      NodeUnpublishVolume: ['Unpublish', 'Empty'],
      NodeExpandVolume: ['Expand', 'Expanded'],
      NodeGetVolumeStats: ['StatsRequest', 'Stats'],
    },
  },
};

/** One driver at its socket. */
export class CsiClient implements CsiNodeService {
  readonly #channel: Channel;

  constructor(endpoint: string) {
    this.#channel = new Channel(endpoint, { schema: csiSchema });
  }

  #call<T extends object>(verb: string, request: object, signal: AbortSignal): Promise<T> {
    return this.#channel.call<T>('Node', verb, request, { signal, deadlineMs: DEADLINE_MS });
  }

  async info(signal: AbortSignal): Promise<CsiNodeInfo> {
    const { nodeId, maxVolumesPerNode, accessibleTopology } = await this.#call<{
      nodeId: string;
      maxVolumesPerNode: number;
      accessibleTopology?: { segments: Record<string, string> };
    }>('NodeGetInfo', {}, signal);
    return { nodeId, maxVolumesPerNode, topology: accessibleTopology?.segments };
  }

  async capabilities(signal: AbortSignal): Promise<ReadonlySet<CsiNodeCapability>> {
    const answer = await this.#call<{ capabilities: { rpc?: { type: CsiNodeCapability } }[] }>(
      'NodeGetCapabilities',
      {},
      signal,
    );
    return new Set(answer.capabilities.flatMap(({ rpc }) => (rpc === undefined ? [] : rpc.type)));
  }

  /**
   * Something that changes the machine is begun or not, but never given up in the middle: the driver would go on, beside
   * the next call for the same volume.
   */
  async #change<T extends object>(verb: string, request: object, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    return this.#channel.call<T>('Node', verb, request, { deadlineMs: DEADLINE_MS });
  }

  async stage(request: CsiStage, signal: AbortSignal): Promise<void> {
    await this.#change('NodeStageVolume', request, signal);
  }

  async unstage(volumeId: string, stagingTargetPath: string, signal: AbortSignal): Promise<void> {
    await this.#change('NodeUnstageVolume', { volumeId, stagingTargetPath }, signal);
  }

  async publish(request: CsiPublish, signal: AbortSignal): Promise<void> {
    await this.#change('NodePublishVolume', request, signal);
  }

  async unpublish(volumeId: string, targetPath: string, signal: AbortSignal): Promise<void> {
    await this.#change('NodeUnpublishVolume', { volumeId, targetPath }, signal);
  }

  async expand(request: CsiExpand, signal: AbortSignal): Promise<number> {
    return (await this.#change<{ capacityBytes: number }>('NodeExpandVolume', request, signal)).capacityBytes;
  }

  async stats(
    at: { volumeId: string; volumePath: string; stagingTargetPath?: string },
    signal: AbortSignal,
  ): Promise<CsiVolumeUsage[]> {
    return (await this.#call<{ usage: CsiVolumeUsage[] }>('NodeGetVolumeStats', at, signal)).usage;
  }

  close(): void {
    this.#channel.close();
  }
}

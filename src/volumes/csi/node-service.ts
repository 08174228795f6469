/** What the agent asks of CSI drivers (https://github.com/container-storage-interface/spec), in the specification's terms. */
import { NodeletError } from '#lib/errors.ts';
import type { CsiDriver } from '#lib/kube/types.ts';

export type CsiAccessMode =
  | 'SINGLE_NODE_WRITER'
  | 'SINGLE_NODE_READER_ONLY'
  | 'MULTI_NODE_READER_ONLY'
  | 'MULTI_NODE_SINGLE_WRITER'
  | 'MULTI_NODE_MULTI_WRITER'
  | 'SINGLE_NODE_SINGLE_WRITER'
  | 'SINGLE_NODE_MULTI_WRITER';

export interface CsiVolumeCapability {
  accessMode: { mode: CsiAccessMode };
  block?: Record<string, never>;
  mount?: { fsType: string; mountFlags: readonly string[]; volumeMountGroup?: string };
}

export type CsiNodeCapability =
  | 'STAGE_UNSTAGE_VOLUME'
  | 'GET_VOLUME_STATS'
  | 'EXPAND_VOLUME'
  | 'VOLUME_CONDITION'
  | 'SINGLE_NODE_MULTI_WRITER'
  | 'VOLUME_MOUNT_GROUP';

type Strings = Readonly<Record<string, string>>;

export interface CsiStage {
  volumeId: string;
  publishContext: Strings;
  stagingTargetPath: string;
  volumeCapability: CsiVolumeCapability;
  secrets: Strings;
  volumeContext: Strings;
}

export interface CsiPublish extends Omit<CsiStage, 'stagingTargetPath'> {
  stagingTargetPath?: string;
  targetPath: string;
  readonly: boolean;
}

export interface CsiExpand {
  volumeId: string;
  volumePath: string;
  capacityRange: { requiredBytes: number };
  stagingTargetPath?: string;
  volumeCapability: CsiVolumeCapability;
  secrets: Strings;
}

export interface CsiNodeInfo {
  nodeId: string;
  /** 0: the driver doesn't say. */
  maxVolumesPerNode: number;
  /** undefined: volumes are within reach from everywhere. */
  topology: Strings | undefined;
}

export interface CsiVolumeUsage {
  unit: 'BYTES' | 'INODES' | 'UNKNOWN';
  available: number;
  total: number;
  used: number;
}

/** The node service of one driver. Calls reject with an error whose message is the driver's own, or the signal's reason. */
export interface CsiNodeService {
  info(signal: AbortSignal): Promise<CsiNodeInfo>;
  capabilities(signal: AbortSignal): Promise<ReadonlySet<CsiNodeCapability>>;
  stage(request: CsiStage, signal: AbortSignal): Promise<void>;
  unstage(volumeId: string, stagingTargetPath: string, signal: AbortSignal): Promise<void>;
  publish(request: CsiPublish, signal: AbortSignal): Promise<void>;
  unpublish(volumeId: string, targetPath: string, signal: AbortSignal): Promise<void>;
  /** The new capacity in bytes; 0: the driver doesn't say. */
  expand(request: CsiExpand, signal: AbortSignal): Promise<number>;
  stats(
    at: { volumeId: string; volumePath: string; stagingTargetPath?: string },
    signal: AbortSignal,
  ): Promise<CsiVolumeUsage[]>;
}

export class CsiDriverMissingError extends NodeletError {
  readonly code = 'CSI_DRIVER_MISSING';

  constructor(driver: string) {
    super(`driver name ${driver} not found in the list of registered CSI drivers`, { retryable: true });
  }
}

/** The drivers that have registered on this node, and what the API server has on each. */
export interface CsiDrivers {
  /** Throws CsiDriverMissingError. */
  service(driver: string): CsiNodeService;
  /** undefined: there is no CSIDriver object. Rejects where none has been read yet. */
  described(driver: string, signal: AbortSignal): Promise<CsiDriver['spec'] | undefined>;
}

import type { ContainerStats, FilesystemUsage, StringMap } from '../types.ts';
import { millis } from './sandbox-messages.ts';

/** Usage as it comes over the wire; what the runtime didn't measure is absent, not 0. */
export interface WireFilesystem {
  timestamp: number;
  fsId?: { mountpoint: string };
  usedBytes?: number;
  inodesUsed?: number;
}

export interface WireStats {
  attributes?: { id: string; metadata?: { name: string; attempt: number }; labels: StringMap };
  cpu?: { timestamp: number; usageCoreNanoSeconds?: number };
  memory?: { timestamp: number; workingSetBytes?: number; usageBytes?: number; rssBytes?: number };
  writableLayer?: WireFilesystem;
}

export const filesystemFrom = (wire: WireFilesystem): FilesystemUsage => ({
  timestamp: millis(wire.timestamp),
  mountpoint: wire.fsId?.mountpoint ?? '',
  usedBytes: wire.usedBytes ?? 0,
  inodesUsed: wire.inodesUsed ?? 0,
});

export function statsFrom(wire: WireStats): ContainerStats {
  const { cpu, memory, writableLayer } = wire;
  return {
    id: wire.attributes?.id ?? '',
    metadata: wire.attributes?.metadata ?? { name: '', attempt: 0 },
    labels: wire.attributes?.labels ?? {},
    ...(cpu?.usageCoreNanoSeconds === undefined
      ? {}
      : { cpu: { timestamp: millis(cpu.timestamp), usageCoreNanoSeconds: cpu.usageCoreNanoSeconds } }),
    ...(memory?.workingSetBytes === undefined
      ? {}
      : {
          memory: {
            timestamp: millis(memory.timestamp),
            workingSetBytes: memory.workingSetBytes,
            usageBytes: memory.usageBytes ?? 0,
            rssBytes: memory.rssBytes ?? 0,
          },
        }),
    ...(writableLayer === undefined ? {} : { writableLayer: filesystemFrom(writableLayer) }),
  };
}

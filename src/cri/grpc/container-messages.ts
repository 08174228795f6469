import type { Container, ContainerState, ContainerStatus, ImageSpec, Mount, StringMap } from '../types.ts';
import { millis } from './sandbox-messages.ts';

interface WireMetadata {
  name: string;
  attempt: number;
}

/** Containers as they come over the wire (see Schema for what is always there). */
export interface WireContainer {
  id: string;
  podSandboxId: string;
  metadata?: WireMetadata;
  image?: ImageSpec;
  imageRef: string;
  state: ContainerState;
  createdAt: number;
  labels: StringMap;
  annotations: StringMap;
}

export interface WireContainerStatus extends Omit<WireContainer, 'podSandboxId'> {
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  reason: string;
  message: string;
  mounts: Mount[];
  logPath: string;
  imageId: string;
  user?: { linux?: { uid: number; gid: number; supplementalGroups: number[] } };
}

const common = (wire: Omit<WireContainer, 'podSandboxId'>) => ({
  id: wire.id,
  metadata: wire.metadata ?? { name: '', attempt: 0 },
  image: wire.image ?? { image: '' },
  imageRef: wire.imageRef,
  state: wire.state,
  createdAt: millis(wire.createdAt),
  labels: wire.labels,
  annotations: wire.annotations,
});

export const containerFrom = (wire: WireContainer): Container => ({
  ...common(wire),
  podSandboxId: wire.podSandboxId,
});

export const containerStatusFrom = (wire: WireContainerStatus): ContainerStatus => ({
  ...common(wire),
  startedAt: millis(wire.startedAt),
  finishedAt: millis(wire.finishedAt),
  exitCode: wire.exitCode,
  imageId: wire.imageId,
  reason: wire.reason,
  message: wire.message,
  mounts: wire.mounts,
  logPath: wire.logPath,
  ...(wire.user?.linux === undefined ? {} : { user: wire.user.linux }),
});

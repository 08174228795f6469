import type { ContainerFilter, SandboxFilter } from '../runtime.ts';
import type {
  Container,
  ContainerStats,
  ContainerStatus,
  PodSandbox,
  PodSandboxStatus,
  StringMap,
} from '../types.ts';
import type { FakeContainer, FakeSandbox } from './fake-machine.ts';

/** Whether CRI's filter (all of its parts together) lets the item through; the state is the caller's to check. */
export function within(
  filter: Omit<ContainerFilter, 'state'> | Omit<SandboxFilter, 'state'>,
  item: { id: string; labels: StringMap; podSandboxId?: string },
): boolean {
  if (filter.id !== undefined && filter.id !== item.id) return false;
  const { podSandboxId } = { podSandboxId: undefined, ...filter };
  if (podSandboxId !== undefined && podSandboxId !== item.podSandboxId) return false;
  return Object.entries(filter.labelSelector ?? {}).every(([key, value]) => item.labels[key] === value);
}

export const sandboxOf = (of: FakeSandbox): PodSandbox => ({
  id: of.id,
  metadata: { ...of.config.metadata },
  state: of.state,
  createdAt: of.createdAt,
  labels: { ...of.config.labels },
  annotations: { ...of.config.annotations },
  runtimeHandler: of.runtimeHandler,
});

export const sandboxStatusOf = (of: FakeSandbox): PodSandboxStatus => ({
  ...sandboxOf(of),
  ips: [...of.ips],
  namespaceOptions: { ...of.config.linux.securityContext.namespaceOptions },
});

export const containerOf = (of: FakeContainer): Container => ({
  id: of.id,
  podSandboxId: of.sandboxId,
  metadata: { ...of.config.metadata },
  image: { ...of.config.image },
  imageRef: of.imageId,
  state: of.state,
  createdAt: of.createdAt,
  labels: { ...of.config.labels },
  annotations: { ...of.config.annotations },
});

export const statusOf = (of: FakeContainer, sandbox: FakeSandbox): ContainerStatus => ({
  id: of.id,
  metadata: { ...of.config.metadata },
  state: of.state,
  createdAt: of.createdAt,
  startedAt: of.startedAt,
  finishedAt: of.finishedAt,
  exitCode: of.exitCode,
  image: { ...of.config.image },
  imageRef: of.imageId,
  imageId: of.imageId,
  reason: of.reason,
  message: of.message,
  labels: { ...of.config.labels },
  annotations: { ...of.config.annotations },
  mounts: structuredClone(of.config.mounts),
  logPath: of.config.logPath === '' ? '' : `${sandbox.config.logDirectory}/${of.config.logPath}`,
  user: {
    uid: of.config.linux.securityContext.runAsUser ?? 0,
    gid: of.config.linux.securityContext.runAsGroup ?? 0,
    supplementalGroups: [...of.config.linux.securityContext.supplementalGroups],
  },
});

export const statsOf = (of: FakeContainer, now: number): ContainerStats => ({
  id: of.id,
  metadata: { ...of.config.metadata },
  labels: { ...of.config.labels },
  cpu: { timestamp: now, usageCoreNanoSeconds: Math.round((now - of.startedAt) * 1000) },
  memory: { timestamp: now, workingSetBytes: 1 << 20, usageBytes: 2 << 20, rssBytes: 1 << 19 },
  writableLayer: { timestamp: now, mountpoint: '/var/lib/containerd', usedBytes: 4096, inodesUsed: 2 },
});

import type {
  ContainerEvent,
  ContainerEventType,
  NamespaceOption,
  PodSandbox,
  PodSandboxStatus,
  SandboxMetadata,
  SandboxState,
  StringMap,
} from '../types.ts';

/** Sandboxes as they come over the wire (see Schema for what is always there). */
export interface WireSandbox {
  id: string;
  metadata?: SandboxMetadata;
  state: SandboxState;
  createdAt: number;
  labels: StringMap;
  annotations: StringMap;
  runtimeHandler: string;
}

export interface WireSandboxStatus extends WireSandbox {
  network?: { ip: string; additionalIps: { ip: string }[] };
  linux?: { namespaces?: { options?: NamespaceOption } };
}

export interface WireEvent {
  containerId: string;
  containerEventType: ContainerEventType;
  createdAt: number;
  podSandboxStatus?: WireSandboxStatus;
}

/** CRI's nanoseconds as milliseconds. "Never" is 0, or the year 1 where a runtime sends Go's empty time. */
export const millis = (nanoseconds: number): number => (nanoseconds > 0 ? nanoseconds / 1e6 : 0);

export const sandboxFrom = (wire: WireSandbox): PodSandbox => ({
  id: wire.id,
  metadata: wire.metadata ?? { name: '', uid: '', namespace: '', attempt: 0 },
  state: wire.state,
  createdAt: millis(wire.createdAt),
  labels: wire.labels,
  annotations: wire.annotations,
  runtimeHandler: wire.runtimeHandler,
});

export function sandboxStatusFrom(wire: WireSandboxStatus): PodSandboxStatus {
  const addresses = [wire.network?.ip ?? '', ...(wire.network?.additionalIps ?? []).map((each) => each.ip)];
  return {
    ...sandboxFrom(wire),
    ips: addresses.filter((address) => address !== ''),
    namespaceOptions: wire.linux?.namespaces?.options ?? { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
  };
}

export function eventFrom(wire: WireEvent): ContainerEvent {
  const podUid = wire.podSandboxStatus?.metadata?.uid ?? '';
  return {
    containerId: wire.containerId,
    type: wire.containerEventType,
    createdAt: millis(wire.createdAt),
    ...(podUid === '' ? {} : { podUid }),
  };
}

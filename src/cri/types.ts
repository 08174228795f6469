/**
 * CRI's messages (runtime.v1) as plain objects: CRI's own names in camelCase, enums as their names in the
 * schema, 64-bit counts as numbers. Times are milliseconds since 1970 (0: never), with the fraction that CRI's
 * nanoseconds give; durations are seconds where CRI says seconds.
 */

export type SandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
export type ContainerState =
  | 'CONTAINER_CREATED'
  | 'CONTAINER_RUNNING'
  | 'CONTAINER_EXITED'
  | 'CONTAINER_UNKNOWN';
export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';
export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type MountPropagation =
  | 'PROPAGATION_PRIVATE'
  | 'PROPAGATION_HOST_TO_CONTAINER'
  | 'PROPAGATION_BIDIRECTIONAL';

export type StringMap = Record<string, string>;

export interface SandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}

export interface NamespaceOption {
  network: NamespaceMode;
  pid: NamespaceMode;
  ipc: NamespaceMode;
  targetId?: string;
}

export interface SecurityProfile {
  profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  localhostRef?: string;
}

export interface SELinuxOptions {
  user?: string;
  role?: string;
  type?: string;
  level?: string;
}

export interface SandboxSecurityContext {
  namespaceOptions: NamespaceOption;
  selinuxOptions?: SELinuxOptions;
  runAsUser?: number;
  runAsGroup?: number;
  readonlyRootfs?: boolean;
  supplementalGroups?: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  privileged?: boolean;
  seccomp?: SecurityProfile;
  apparmor?: SecurityProfile;
}

export interface LinuxResources {
  /** Microseconds; 0 leaves the runtime's default. */
  cpuPeriod?: number;
  /** Microseconds per period; 0 means no limit. */
  cpuQuota?: number;
  cpuShares?: number;
  memoryLimitInBytes?: number;
  oomScoreAdj?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  hugepageLimits?: { pageSize: string; limit: number }[];
  /** Files of cgroup v2 by name, written as they are. */
  unified?: StringMap;
  memorySwapLimitInBytes?: number;
}

export interface PortMapping {
  protocol: Protocol;
  containerPort: number;
  hostPort: number;
  hostIp: string;
}

export interface DNSConfig {
  servers: string[];
  searches: string[];
  options: string[];
}

export interface PodSandboxConfig {
  metadata: SandboxMetadata;
  hostname: string;
  logDirectory: string;
  dnsConfig?: DNSConfig;
  portMappings: PortMapping[];
  labels: StringMap;
  annotations: StringMap;
  linux: {
    cgroupParent: string;
    securityContext: SandboxSecurityContext;
    sysctls?: StringMap;
    overhead?: LinuxResources;
    resources?: LinuxResources;
  };
}

export interface PodSandbox {
  id: string;
  metadata: SandboxMetadata;
  state: SandboxState;
  createdAt: number;
  labels: StringMap;
  annotations: StringMap;
  runtimeHandler: string;
}

export interface PodSandboxStatus extends PodSandbox {
  /** The pod's addresses, primary first; empty for a pod on the host's network. */
  ips: string[];
  namespaceOptions: NamespaceOption;
}

export interface Mount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  selinuxRelabel?: boolean;
  propagation?: MountPropagation;
  recursiveReadOnly?: boolean;
}

export interface Device {
  containerPath: string;
  hostPath: string;
  permissions: string;
}

export interface ContainerSecurityContext {
  namespaceOptions: NamespaceOption;
  capabilities?: { addCapabilities: string[]; dropCapabilities: string[] };
  privileged: boolean;
  selinuxOptions?: SELinuxOptions;
  runAsUser?: number;
  runAsGroup?: number;
  runAsUsername?: string;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp?: SecurityProfile;
  apparmor?: SecurityProfile;
}

export interface ImageSpec {
  image: string;
  userSpecifiedImage?: string;
  runtimeHandler?: string;
  annotations?: StringMap;
}

export interface ContainerConfig {
  metadata: { name: string; attempt: number };
  image: ImageSpec;
  command: string[];
  args: string[];
  workingDir: string;
  envs: { key: string; value: string }[];
  mounts: Mount[];
  devices: Device[];
  labels: StringMap;
  annotations: StringMap;
  /** Relative to the sandbox's logDirectory. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  linux: { resources: LinuxResources; securityContext: ContainerSecurityContext };
}

export interface Container {
  id: string;
  podSandboxId: string;
  metadata: { name: string; attempt: number };
  image: ImageSpec;
  imageRef: string;
  state: ContainerState;
  createdAt: number;
  labels: StringMap;
  annotations: StringMap;
}

export interface ContainerStatus {
  id: string;
  metadata: { name: string; attempt: number };
  state: ContainerState;
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  image: ImageSpec;
  imageRef: string;
  imageId: string;
  /** `Completed`, `Error`, `OOMKilled`, `StartError` …: the runtime's short word for the state. */
  reason: string;
  message: string;
  labels: StringMap;
  annotations: StringMap;
  mounts: Mount[];
  logPath: string;
  user?: { uid: number; gid: number; supplementalGroups: number[] };
}

export interface Image {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: number;
  /** The numeric user that the image runs as, where its USER is a number. */
  uid?: number;
  /** The user name where the image's USER is a name. */
  username: string;
  pinned: boolean;
}

export interface AuthConfig {
  username?: string;
  password?: string;
  auth?: string;
  serverAddress?: string;
  identityToken?: string;
  registryToken?: string;
}

export interface RuntimeVersion {
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
}

export interface RuntimeCondition {
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

export interface RuntimeStatus {
  conditions: RuntimeCondition[];
  runtimeHandlers: { name: string; recursiveReadOnlyMounts: boolean; userNamespaces: boolean }[];
  features: { supplementalGroupsPolicy: boolean };
}

export interface FilesystemUsage {
  timestamp: number;
  mountpoint: string;
  usedBytes: number;
  inodesUsed: number;
}

export interface ContainerStats {
  id: string;
  metadata: { name: string; attempt: number };
  labels: StringMap;
  /** Nanoseconds of processor time since the container began, and when that was read. */
  cpu?: { timestamp: number; usageCoreNanoSeconds: number };
  memory?: { timestamp: number; workingSetBytes: number; usageBytes: number; rssBytes: number };
  writableLayer?: FilesystemUsage;
}

export interface ExecResult {
  stdout: Buffer;
  stderr: Buffer;
  exitCode: number;
}

export type ContainerEventType =
  | 'CONTAINER_CREATED_EVENT'
  | 'CONTAINER_STARTED_EVENT'
  | 'CONTAINER_STOPPED_EVENT'
  | 'CONTAINER_DELETED_EVENT';

export interface ContainerEvent {
  containerId: string;
  type: ContainerEventType;
  createdAt: number;
  /** The pod of the event, where the runtime says it. */
  podUid?: string;
}

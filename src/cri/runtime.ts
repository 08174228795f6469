import type {
  AuthConfig,
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerState,
  ContainerStats,
  ContainerStatus,
  ExecResult,
  FilesystemUsage,
  Image,
  ImageSpec,
  LinuxResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  RuntimeStatus,
  RuntimeVersion,
  SandboxState,
  StringMap,
} from './types.ts';

/** What every call takes besides its own arguments. */
export interface CallOptions {
  /** Ends the call early; it then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Overrides the verb's own deadline, in milliseconds. */
  deadlineMs?: number;
}

export interface SandboxFilter {
  id?: string;
  state?: SandboxState;
  labelSelector?: StringMap;
}

export interface ContainerFilter {
  id?: string;
  state?: ContainerState;
  podSandboxId?: string;
  labelSelector?: StringMap;
}

export interface ExecRequest {
  containerId: string;
  cmd: string[];
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

/**
 * A container runtime in CRI's terms (runtime.v1.RuntimeService). Every method rejects with a RuntimeError, whose
 * `status` is gRPC's word: `NOT_FOUND`, `ALREADY_EXISTS`, `UNIMPLEMENTED`, `UNAVAILABLE`, `DEADLINE_EXCEEDED` …
 *
 * Idempotent, as CRI demands: stopping or removing what is gone succeeds.
 */
export interface RuntimeService {
  version(options?: CallOptions): Promise<RuntimeVersion>;
  status(options?: CallOptions): Promise<RuntimeStatus>;
  /** The runtime's cgroup driver; undefined where the runtime can't tell (UNIMPLEMENTED). */
  cgroupDriver(options?: CallOptions): Promise<'systemd' | 'cgroupfs' | undefined>;
  updatePodCidr(podCidr: string, options?: CallOptions): Promise<void>;

  runPodSandbox(config: PodSandboxConfig, runtimeHandler: string, options?: CallOptions): Promise<string>;
  stopPodSandbox(id: string, options?: CallOptions): Promise<void>;
  removePodSandbox(id: string, options?: CallOptions): Promise<void>;
  podSandboxStatus(id: string, options?: CallOptions): Promise<PodSandboxStatus>;
  listPodSandbox(filter?: SandboxFilter, options?: CallOptions): Promise<PodSandbox[]>;

  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string>;
  startContainer(id: string, options?: CallOptions): Promise<void>;
  /** TERM, then KILL after `timeoutSeconds`; returns when the container has stopped. */
  stopContainer(id: string, timeoutSeconds: number, options?: CallOptions): Promise<void>;
  removeContainer(id: string, options?: CallOptions): Promise<void>;
  listContainers(filter?: ContainerFilter, options?: CallOptions): Promise<Container[]>;
  containerStatus(id: string, options?: CallOptions): Promise<ContainerStatus>;
  updateContainerResources(id: string, resources: LinuxResources, options?: CallOptions): Promise<void>;
  reopenContainerLog(id: string, options?: CallOptions): Promise<void>;

  /** Runs `cmd` to its end. `timeoutSeconds` 0: no limit. Output over 16 MiB a stream is cut by the runtime. */
  execSync(id: string, cmd: string[], timeoutSeconds: number, options?: CallOptions): Promise<ExecResult>;
  /** The URL of a stream that serves the session: one use, SPDY/3.1 or WebSocket. */
  exec(request: ExecRequest, options?: CallOptions): Promise<string>;
  attach(request: Omit<ExecRequest, 'cmd'>, options?: CallOptions): Promise<string>;
  portForward(sandboxId: string, ports: number[], options?: CallOptions): Promise<string>;

  listContainerStats(filter?: ContainerFilter, options?: CallOptions): Promise<ContainerStats[]>;
  /**
   * The runtime's events from now on, until `signal` aborts or the stream breaks (then it rejects). `onEvent` must
   * return at once: containerd blocks while its subscriber is slow. Rejects with UNIMPLEMENTED where there are none.
   */
  containerEvents(onEvent: (event: ContainerEvent) => void, signal: AbortSignal): Promise<void>;
}

/** Images in CRI's terms (runtime.v1.ImageService). */
export interface ImageService {
  listImages(options?: CallOptions): Promise<Image[]>;
  /** The image, or undefined where it isn't on this node. */
  imageStatus(image: ImageSpec, options?: CallOptions): Promise<Image | undefined>;
  /** Pulls and returns the image's reference; no deadline of its own. */
  pullImage(
    image: ImageSpec,
    auth: AuthConfig | undefined,
    sandbox: PodSandboxConfig | undefined,
    options?: CallOptions,
  ): Promise<string>;
  removeImage(image: ImageSpec, options?: CallOptions): Promise<void>;
  imageFsInfo(options?: CallOptions): Promise<FilesystemUsage[]>;
}

import { deadlines, execDeadline, stopDeadline } from '../deadlines.ts';
import type { Deadlines } from '../deadlines.ts';
import { RuntimeError, runtimeStatus } from '../errors.ts';
import type { CallOptions, ContainerFilter, ExecRequest, RuntimeService, SandboxFilter } from '../runtime.ts';
import type {
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerStats,
  ContainerStatus,
  ExecResult,
  LinuxResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  RuntimeCondition,
  RuntimeStatus,
  RuntimeVersion,
} from '../types.ts';
import type { Channel } from './channel.ts';
import { containerFrom, containerStatusFrom } from './container-messages.ts';
import type { WireContainer, WireContainerStatus } from './container-messages.ts';
import { eventFrom, sandboxFrom, sandboxStatusFrom } from './sandbox-messages.ts';
import type { WireEvent, WireSandbox, WireSandboxStatus } from './sandbox-messages.ts';
import { statsFrom } from './stats-messages.ts';
import type { WireStats } from './stats-messages.ts';

interface WireStatus {
  status?: { conditions: RuntimeCondition[] };
  runtimeHandlers: {
    name: string;
    features?: { recursiveReadOnlyMounts: boolean; userNamespaces: boolean };
  }[];
  features?: { supplementalGroupsPolicy: boolean };
}

/** CRI's runtime service over gRPC. `requestTimeoutMs`: KubeletConfiguration's runtimeRequestTimeout. */
export class GrpcRuntimeService implements RuntimeService {
  readonly #channel: Channel;
  readonly #limits: Deadlines;

  constructor(channel: Channel, requestTimeoutMs?: number) {
    this.#channel = channel;
    this.#limits = deadlines(requestTimeoutMs);
  }

  async version(options?: CallOptions): Promise<RuntimeVersion> {
    const { runtimeName, runtimeVersion, runtimeApiVersion } = await this.#read<RuntimeVersion>(
      'Version',
      {},
      options,
    );
    return { runtimeName, runtimeVersion, runtimeApiVersion };
  }

  async status(options?: CallOptions): Promise<RuntimeStatus> {
    const wire = await this.#read<WireStatus>('Status', {}, options);
    return {
      conditions: wire.status?.conditions ?? [],
      runtimeHandlers: wire.runtimeHandlers.map(({ name, features }) => ({
        name,
        recursiveReadOnlyMounts: features?.recursiveReadOnlyMounts ?? false,
        userNamespaces: features?.userNamespaces ?? false,
      })),
      features: { supplementalGroupsPolicy: wire.features?.supplementalGroupsPolicy ?? false },
    };
  }

  async cgroupDriver(options?: CallOptions): Promise<'systemd' | 'cgroupfs' | undefined> {
    try {
      const { linux } = await this.#read<{ linux?: { cgroupDriver: string } }>('RuntimeConfig', {}, options);
      if (linux === undefined) return undefined;
      return linux.cgroupDriver === 'SYSTEMD' ? 'systemd' : 'cgroupfs';
    } catch (error) {
      if (runtimeStatus(error) === 'UNIMPLEMENTED') return undefined;
      throw error;
    }
  }

  async updatePodCidr(podCidr: string, options?: CallOptions): Promise<void> {
    const request = { runtimeConfig: { networkConfig: { podCidr } } };
    await this.#change('UpdateRuntimeConfig', request, options);
  }

  async runPodSandbox(
    config: PodSandboxConfig,
    runtimeHandler: string,
    options?: CallOptions,
  ): Promise<string> {
    const request = { config, runtimeHandler };
    const answer = await this.#call<{ podSandboxId: string }>(
      'RunPodSandbox',
      request,
      this.#limits.sandbox,
      options,
    );
    return identified('RunPodSandbox', answer.podSandboxId);
  }

  async stopPodSandbox(id: string, options?: CallOptions): Promise<void> {
    await gone(this.#change('StopPodSandbox', { podSandboxId: id }, options));
  }

  async removePodSandbox(id: string, options?: CallOptions): Promise<void> {
    await gone(this.#change('RemovePodSandbox', { podSandboxId: id }, options));
  }

  async podSandboxStatus(id: string, options?: CallOptions): Promise<PodSandboxStatus> {
    const request = { podSandboxId: id };
    const { status } = await this.#read<{ status?: WireSandboxStatus }>('PodSandboxStatus', request, options);
    return sandboxStatusFrom(present('PodSandboxStatus', status));
  }

  async listPodSandbox(filter?: SandboxFilter, options?: CallOptions): Promise<PodSandbox[]> {
    const { items } = await this.#read<{ items: WireSandbox[] }>('ListPodSandbox', { filter }, options);
    return items.map(sandboxFrom);
  }

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string> {
    const request = { podSandboxId: sandboxId, config, sandboxConfig: sandbox };
    const answer = await this.#change<{ containerId: string }>('CreateContainer', request, options);
    return identified('CreateContainer', answer.containerId);
  }

  async startContainer(id: string, options?: CallOptions): Promise<void> {
    await this.#change('StartContainer', { containerId: id }, options);
  }

  async stopContainer(id: string, timeoutSeconds: number, options?: CallOptions): Promise<void> {
    const request = { containerId: id, timeout: timeoutSeconds };
    const deadlineMs = stopDeadline(this.#limits, timeoutSeconds);
    await gone(this.#call('StopContainer', request, deadlineMs, options));
  }

  async removeContainer(id: string, options?: CallOptions): Promise<void> {
    await gone(this.#change('RemoveContainer', { containerId: id }, options));
  }

  async listContainers(filter?: ContainerFilter, options?: CallOptions): Promise<Container[]> {
    const answer = await this.#read<{ containers: WireContainer[] }>('ListContainers', { filter }, options);
    return answer.containers.map(containerFrom);
  }

  async containerStatus(id: string, options?: CallOptions): Promise<ContainerStatus> {
    const request = { containerId: id };
    const { status } = await this.#read<{ status?: WireContainerStatus }>(
      'ContainerStatus',
      request,
      options,
    );
    return containerStatusFrom(present('ContainerStatus', status));
  }

  async updateContainerResources(
    id: string,
    resources: LinuxResources,
    options?: CallOptions,
  ): Promise<void> {
    await this.#change('UpdateContainerResources', { containerId: id, linux: resources }, options);
  }

  async reopenContainerLog(id: string, options?: CallOptions): Promise<void> {
    await this.#read('ReopenContainerLog', { containerId: id }, options);
  }

  async execSync(
    id: string,
    cmd: string[],
    timeoutSeconds: number,
    options?: CallOptions,
  ): Promise<ExecResult> {
    const request = { containerId: id, cmd, timeout: timeoutSeconds };
    return this.#call<ExecResult>('ExecSync', request, execDeadline(timeoutSeconds), options);
  }

  async exec(request: ExecRequest, options?: CallOptions): Promise<string> {
    return (await this.#read<{ url: string }>('Exec', request, options)).url;
  }

  async attach(request: Omit<ExecRequest, 'cmd'>, options?: CallOptions): Promise<string> {
    return (await this.#read<{ url: string }>('Attach', request, options)).url;
  }

  async portForward(sandboxId: string, ports: number[], options?: CallOptions): Promise<string> {
    const request = { podSandboxId: sandboxId, port: ports };
    return (await this.#read<{ url: string }>('PortForward', request, options)).url;
  }

  async listContainerStats(filter: ContainerFilter = {}, options?: CallOptions): Promise<ContainerStats[]> {
    // ContainerStatsFilter knows no state.
    const { state: _state, ...stats } = filter;
    const answer = await this.#read<{ stats: WireStats[] }>('ListContainerStats', { filter: stats }, options);
    return answer.stats.map(statsFrom);
  }

  containerEvents(onEvent: (event: ContainerEvent) => void, signal: AbortSignal): Promise<void> {
    const pass = (event: object): void => onEvent(eventFrom(event as WireEvent));
    return this.#channel.stream('RuntimeService', 'GetContainerEvents', {}, pass, signal);
  }

  #read<T extends object>(verb: string, request: object, options?: CallOptions): Promise<T> {
    return this.#call<T>(verb, request, this.#limits.read, options);
  }

  #change<T extends object>(verb: string, request: object, options?: CallOptions): Promise<T> {
    return this.#call<T>(verb, request, this.#limits.change, options);
  }

  #call<T extends object>(
    verb: string,
    request: object,
    deadlineMs: number | undefined,
    options: CallOptions | undefined,
  ): Promise<T> {
    const limited = { ...(deadlineMs === undefined ? {} : { deadlineMs }), ...options };
    return this.#channel.call<T>('RuntimeService', verb, request, limited);
  }
}

/** CRI wants stopping and removing to succeed on what is gone; containerd 1.6 says NOT_FOUND to some of them. */
async function gone(call: Promise<object>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (runtimeStatus(error) !== 'NOT_FOUND') throw error;
  }
}

function present<T>(verb: string, status: T | undefined): T {
  if (status === undefined) throw new RuntimeError(verb, 'INTERNAL', 'the runtime answered without a status');
  return status;
}

function identified(verb: string, id: string): string {
  if (id === '') throw new RuntimeError(verb, 'INTERNAL', 'the runtime answered without an ID');
  return id;
}

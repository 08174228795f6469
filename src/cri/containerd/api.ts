import { runtimeStatus } from '../errors.ts';
import { Channel } from '../grpc/channel.ts';
import type { Api } from '../grpc/channel.ts';
import type { CallOptions } from '../runtime.ts';

/**
 * What of containerd lies beneath its CRI: a container's record, and the task, which is what runs of it. IDs are CRI's.
 * Methods reject with RuntimeError. What is gone already counts as removed.
 */
export interface ContainerdApi {
  hasContainer(id: string, options?: CallOptions): Promise<boolean>;
  removeContainer(id: string, options?: CallOptions): Promise<void>;
  /** Says whether there was a task. FAILED_PRECONDITION or the like where its process runs. */
  removeTask(id: string, options?: CallOptions): Promise<boolean>;
  /** Sends KILL to all of the task's processes; doesn't wait for their end. */
  killTask(id: string, options?: CallOptions): Promise<void>;
}

/** The few methods of containerd's API (https://github.com/containerd/containerd/tree/main/api/services) used here. */
const api: Api = {
  schema: {
    package: 'containerd.services',
    enums: {},
    messages: {
      ContainerRequest: { 1: ['id', 'string'] },
      TaskRequest: { 1: ['id', 'string'] },
      KillRequest: { 1: ['id', 'string'], 3: ['signal', 'uint32'], 4: ['all', 'bool'] },
      Ignored: {},
    },
    services: {
      'containers.v1.Containers': {
        Get: ['ContainerRequest', 'Ignored'],
        Delete: ['ContainerRequest', 'Ignored'],
      },
      'tasks.v1.Tasks': { Delete: ['TaskRequest', 'Ignored'], Kill: ['KillRequest', 'Ignored'] },
    },
  },
  // The namespace of all that containerd runs by CRI.
  headers: { 'containerd-namespace': 'k8s.io' },
};

const KILL = 9;
/** A shim that hangs makes these calls hang. */
const DEADLINE_MS = 10_000;

/** containerd's API at the socket that serves its CRI. */
export class GrpcContainerdApi implements ContainerdApi {
  readonly #channel: Channel;

  constructor(endpoint: string) {
    this.#channel = new Channel(endpoint, api);
  }

  hasContainer(id: string, options?: CallOptions): Promise<boolean> {
    return this.#found('containers.v1.Containers', 'Get', { id }, options);
  }

  async removeContainer(id: string, options?: CallOptions): Promise<void> {
    await this.#found('containers.v1.Containers', 'Delete', { id }, options);
  }

  removeTask(id: string, options?: CallOptions): Promise<boolean> {
    return this.#found('tasks.v1.Tasks', 'Delete', { id }, options);
  }

  async killTask(id: string, options?: CallOptions): Promise<void> {
    await this.#found('tasks.v1.Tasks', 'Kill', { id, signal: KILL, all: true }, options);
  }

  close(): void {
    this.#channel.close();
  }

  async #found(service: string, verb: string, request: object, options?: CallOptions): Promise<boolean> {
    try {
      await this.#channel.call(service, verb, request, { deadlineMs: DEADLINE_MS, ...options });
      return true;
    } catch (error) {
      if (runtimeStatus(error) === 'NOT_FOUND') return false;
      throw error;
    }
  }
}

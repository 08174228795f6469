import type { Clock } from '#lib/clock.ts';
import { GrpcRuntimeService } from '../grpc/runtime-service.ts';
import type { Channel } from '../grpc/channel.ts';
import type { CallOptions } from '../runtime.ts';
import type { ContainerdApi } from './api.ts';
import { removeLeftRecord, removePastTasks } from './removal.ts';

/** CRI as containerd serves it, but that what CRI can't remove is removed all the same. */
export class ContainerdRuntimeService extends GrpcRuntimeService {
  readonly #api: ContainerdApi;
  readonly #clock: Clock;

  constructor(channel: Channel, api: ContainerdApi, clock: Clock, requestTimeoutMs?: number) {
    super(channel, requestTimeoutMs);
    this.#api = api;
    this.#clock = clock;
  }

  override async removePodSandbox(id: string, options?: CallOptions): Promise<void> {
    const remove = (): Promise<void> => super.removePodSandbox(id, options);
    const ids = async (): Promise<string[]> => [
      ...(await this.listContainers({ podSandboxId: id }, options)).map((container) => container.id),
      id,
    ];
    await removePastTasks(this.#api, remove, ids, this.#clock, options);
    await removeLeftRecord(this.#api, id, this.#clock, options);
  }

  override async removeContainer(id: string, options?: CallOptions): Promise<void> {
    const remove = (): Promise<void> => super.removeContainer(id, options);
    await removePastTasks(this.#api, remove, () => Promise.resolve([id]), this.#clock, options);
  }
}

import type { RuntimeService } from '#cri/runtime.ts';
import type { Container, ContainerStatus, PodSandboxStatus } from '#cri/types.ts';
import { runtimeStatus } from '#cri/errors.ts';
import type { ObservedContainer } from './instances.ts';
import { POD_UID_LABEL } from './labels.ts';

/** What the runtime knows of one pod, read after the moment of the call. */
export interface Observation {
  /** Newest first. */
  sandboxes: PodSandboxStatus[];
  containers: ObservedContainer[];
}

/** Reads how a container ended, in its owner's words: its termination message. */
export type ReadTerminationMessage = (status: ContainerStatus, podContainers: number) => Promise<string>;

/**
 * Reads a pod from the runtime: two lists, and a status only of what is new or has changed its state, since CRI's
 * statuses are otherwise constant.
 */
export class PodObserver {
  readonly #runtime: RuntimeService;
  readonly #readMessage: ReadTerminationMessage;
  readonly #sandboxes = new Map<string, PodSandboxStatus>();
  readonly #containers = new Map<string, ContainerStatus>();
  /** What is remembered for which pod, to forget it with the pod. */
  readonly #ids = new Map<string, Set<string>>();

  constructor(runtime: RuntimeService, readMessage: ReadTerminationMessage) {
    this.#runtime = runtime;
    this.#readMessage = readMessage;
  }

  async observe(uid: string, podContainers: number, signal: AbortSignal): Promise<Observation> {
    const filter = { labelSelector: { [POD_UID_LABEL]: uid } };
    const [sandboxes, containers] = await Promise.all([
      this.#runtime.listPodSandbox(filter, { signal }),
      this.#runtime.listContainers(filter, { signal }),
    ]);
    const [sandboxStatuses, containerStatuses] = await Promise.all([
      Promise.all(sandboxes.map((sandbox) => this.#sandboxStatus(sandbox.id, sandbox.state, signal))),
      Promise.all(containers.map((container) => this.#containerStatus(container, podContainers, signal))),
    ]);
    this.#keep(
      uid,
      [...sandboxes, ...containers].map((each) => each.id),
    );
    return {
      sandboxes: sandboxStatuses
        .filter((status) => status !== undefined)
        .sort((a, b) => b.createdAt - a.createdAt || b.metadata.attempt - a.metadata.attempt),
      containers: containers.flatMap((container, index) => {
        const status = containerStatuses[index];
        return status === undefined ? [] : [{ sandboxId: container.podSandboxId, status }];
      }),
    };
  }

  forget(uid: string): void {
    this.#keep(uid, []);
    this.#ids.delete(uid);
  }

  async #sandboxStatus(
    id: string,
    state: string,
    signal: AbortSignal,
  ): Promise<PodSandboxStatus | undefined> {
    const known = this.#sandboxes.get(id);
    if (known !== undefined && known.state === state) return known;
    const status = await orGone(this.#runtime.podSandboxStatus(id, { signal }));
    if (status !== undefined) this.#sandboxes.set(id, status);
    return status;
  }

  async #containerStatus(
    container: Container,
    podContainers: number,
    signal: AbortSignal,
  ): Promise<ContainerStatus | undefined> {
    const known = this.#containers.get(container.id);
    if (known !== undefined && known.state === container.state) return known;
    const status = await orGone(this.#runtime.containerStatus(container.id, { signal }));
    if (status === undefined) return undefined;
    if (status.state === 'CONTAINER_EXITED') {
      const message = await this.#readMessage(status, podContainers);
      if (message !== '') status.message = message;
    }
    this.#containers.set(container.id, status);
    return status;
  }

  /** Remembers just these IDs of the pod. */
  #keep(uid: string, ids: string[]): void {
    const now = new Set(ids);
    for (const id of this.#ids.get(uid) ?? []) {
      if (now.has(id)) continue;
      this.#sandboxes.delete(id);
      this.#containers.delete(id);
    }
    this.#ids.set(uid, now);
  }
}

/** Undefined for what was removed between the list and the status. */
async function orGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (runtimeStatus(error) === 'NOT_FOUND') return undefined;
    throw error;
  }
}

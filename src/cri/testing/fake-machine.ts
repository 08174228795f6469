import type { Clock } from '#lib/clock.ts';
import { RuntimeError } from '../errors.ts';
import type {
  ContainerConfig,
  ContainerEvent,
  ContainerEventType,
  ContainerState,
  LinuxResources,
  PodSandboxConfig,
  SandboxState,
} from '../types.ts';

/** How containers of one name act; what is left out is: starts, runs for ever, ends with 143 at TERM. */
export interface FakeBehaviour {
  /** StartContainer fails with these words. */
  startError?: string;
  /** TERM does nothing: only KILL ends it. */
  ignoresTerm?: boolean;
  termExitCode?: number;
  /** Ends by itself so long after its start. */
  exitAfter?: { ms: number; code: number };
}

export interface FakeSandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  readonly createdAt: number;
  state: SandboxState;
  ips: string[];
}

export interface FakeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly imageId: string;
  readonly createdAt: number;
  readonly behaviour: FakeBehaviour;
  state: ContainerState;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  reason: string;
  message: string;
  resources: LinuxResources;
  /** How often its log file was reopened. */
  logReopened: number;
}

const KILLED = 137;

/** The pods of the fake runtime and what can happen to them; containerd's rules, without any calls. */
export class FakeMachine {
  readonly sandboxes = new Map<string, FakeSandbox>();
  readonly containers = new Map<string, FakeContainer>();
  /** False: as containerd 1.6. */
  modern = true;
  readonly #clock: Clock;
  readonly #emit: (event: ContainerEvent) => void;
  readonly #exits = new Map<string, Set<() => void>>();
  #count = 0;
  #address = 1;

  constructor(clock: Clock, emit: (event: ContainerEvent) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  sandbox(verb: string, id: string): FakeSandbox {
    const found = this.sandboxes.get(id);
    if (found === undefined) {
      throw new RuntimeError(
        verb,
        'NOT_FOUND',
        `an error occurred when try to find sandbox "${id}": not found`,
      );
    }
    return found;
  }

  container(verb: string, id: string): FakeContainer {
    const found = this.containers.get(id);
    if (found === undefined) {
      throw new RuntimeError(
        verb,
        'NOT_FOUND',
        `an error occurred when try to find container "${id}": not found`,
      );
    }
    return found;
  }

  containersOf(sandboxId: string): FakeContainer[] {
    return [...this.containers.values()].filter((each) => each.sandboxId === sandboxId);
  }

  runSandbox(config: PodSandboxConfig, runtimeHandler: string): FakeSandbox {
    const { name, namespace, uid, attempt } = config.metadata;
    for (const other of this.sandboxes.values()) {
      const theirs = other.config.metadata;
      if (
        theirs.uid === uid &&
        theirs.attempt === attempt &&
        theirs.name === name &&
        theirs.namespace === namespace
      ) {
        throw this.#reserved('RunPodSandbox', 'sandbox', `${name}_${namespace}_${uid}_${attempt}`, other.id);
      }
    }
    const onHost = config.linux.securityContext.namespaceOptions.network === 'NODE';
    if (onHost && config.hostname !== '') {
      const words = 'runc create failed: unable to set hostname without a private UTS namespace';
      throw new RuntimeError('RunPodSandbox', 'UNKNOWN', words);
    }
    const made: FakeSandbox = {
      id: `sandbox-${++this.#count}`,
      config: structuredClone(config),
      runtimeHandler,
      createdAt: this.#clock.now(),
      state: 'SANDBOX_READY',
      ips: onHost ? [] : [`10.88.${this.#address >> 8}.${++this.#address & 255}`],
    };
    this.sandboxes.set(made.id, made);
    this.#event(made.id, made, 'CONTAINER_CREATED_EVENT');
    this.#event(made.id, made, 'CONTAINER_STARTED_EVENT');
    return made;
  }

  /** Ends the sandbox's own process; its containers and its network stay until it is stopped. */
  killSandbox(sandbox: FakeSandbox): void {
    if (sandbox.state === 'SANDBOX_NOTREADY') return;
    sandbox.state = 'SANDBOX_NOTREADY';
    this.#event(sandbox.id, sandbox, 'CONTAINER_STOPPED_EVENT');
  }

  stopSandbox(sandbox: FakeSandbox): void {
    for (const container of this.containersOf(sandbox.id)) {
      if (container.state === 'CONTAINER_RUNNING') this.exit(container, KILLED);
    }
    this.killSandbox(sandbox);
    sandbox.ips = [];
  }

  removeSandbox(sandbox: FakeSandbox): void {
    this.stopSandbox(sandbox);
    for (const container of this.containersOf(sandbox.id)) this.remove(container);
    if (this.sandboxes.delete(sandbox.id)) this.#event(sandbox.id, sandbox, 'CONTAINER_DELETED_EVENT');
  }

  create(
    sandbox: FakeSandbox,
    config: ContainerConfig,
    imageId: string,
    behaviour: FakeBehaviour,
  ): FakeContainer {
    const { name, attempt } = config.metadata;
    for (const other of this.containersOf(sandbox.id)) {
      if (other.config.metadata.name === name && other.config.metadata.attempt === attempt) {
        const pod = sandbox.config.metadata;
        const full = `${name}_${pod.name}_${pod.namespace}_${pod.uid}_${attempt}`;
        throw this.#reserved('CreateContainer', 'container', full, other.id);
      }
    }
    const made: FakeContainer = {
      id: `container-${++this.#count}`,
      sandboxId: sandbox.id,
      config: structuredClone(config),
      imageId,
      createdAt: this.#clock.now(),
      behaviour,
      state: 'CONTAINER_CREATED',
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      reason: '',
      message: '',
      resources: structuredClone(config.linux.resources),
      logReopened: 0,
    };
    this.containers.set(made.id, made);
    this.#event(made.id, sandbox, 'CONTAINER_CREATED_EVENT');
    return made;
  }

  start(container: FakeContainer): void {
    const sandbox = this.sandbox('StartContainer', container.sandboxId);
    if (container.state !== 'CONTAINER_CREATED') {
      const words = `failed to set starting state for container "${container.id}": container is in ${container.state} state`;
      throw new RuntimeError('StartContainer', 'UNKNOWN', words);
    }
    const { startError, exitAfter } = container.behaviour;
    const problem =
      sandbox.state === 'SANDBOX_READY' ? startError : `sandbox container "${sandbox.id}" is not running`;
    if (problem !== undefined) {
      // No event: containerd sends none of a container that never ran.
      container.state = 'CONTAINER_EXITED';
      container.finishedAt = this.#clock.now();
      container.exitCode = 128;
      container.reason = 'StartError';
      container.message = problem;
      throw new RuntimeError('StartContainer', 'UNKNOWN', problem);
    }
    container.state = 'CONTAINER_RUNNING';
    container.startedAt = this.#clock.now();
    this.#event(container.id, sandbox, 'CONTAINER_STARTED_EVENT');
    if (exitAfter !== undefined) {
      this.#clock.after(exitAfter.ms, () => this.exit(container, exitAfter.code));
    }
  }

  /** Ends the container's process, if it runs. */
  exit(
    container: FakeContainer,
    code: number,
    reason = code === 0 ? 'Completed' : 'Error',
    message = '',
  ): void {
    if (container.state !== 'CONTAINER_RUNNING') return;
    container.state = 'CONTAINER_EXITED';
    container.finishedAt = this.#clock.now();
    container.exitCode = code;
    container.reason = reason;
    container.message = message;
    for (const wake of this.#exits.get(container.id) ?? []) wake();
    this.#exits.delete(container.id);
    const sandbox = this.sandboxes.get(container.sandboxId);
    if (sandbox !== undefined) this.#event(container.id, sandbox, 'CONTAINER_STOPPED_EVENT');
  }

  /** TERM, then KILL after the time-out (0: KILL at once); resolves when the container has ended. */
  async stop(
    container: FakeContainer,
    timeoutSeconds: number,
    arm: (refuse: (reason: Error) => void) => () => void,
  ): Promise<void> {
    if (container.state !== 'CONTAINER_RUNNING') return;
    if (timeoutSeconds <= 0) {
      this.exit(container, KILLED);
      return;
    }
    if (container.behaviour.ignoresTerm !== true) {
      this.exit(container, container.behaviour.termExitCode ?? 143);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const wakers = this.#exits.get(container.id) ?? new Set();
      this.#exits.set(container.id, wakers);
      const timer = this.#clock.after(timeoutSeconds * 1000, () => this.exit(container, KILLED));
      const settle = (): void => {
        timer.cancel();
        disarm();
        wakers.delete(ended);
      };
      const ended = (): void => {
        settle();
        resolve();
      };
      // A caller who gives up takes the KILL with it, as in containerd: the container runs on.
      const disarm = arm((reason) => {
        settle();
        reject(reason);
      });
      wakers.add(ended);
    });
  }

  remove(container: FakeContainer): void {
    this.exit(container, KILLED);
    const sandbox = this.sandboxes.get(container.sandboxId);
    if (this.containers.delete(container.id) && sandbox !== undefined) {
      this.#event(container.id, sandbox, 'CONTAINER_DELETED_EVENT');
    }
  }

  #event(containerId: string, sandbox: FakeSandbox, type: ContainerEventType): void {
    this.#emit({ containerId, type, createdAt: this.#clock.now(), podUid: sandbox.config.metadata.uid });
  }

  #reserved(verb: string, kind: string, name: string, id: string): RuntimeError {
    const status = this.modern ? 'FAILED_PRECONDITION' : 'UNKNOWN';
    const words = `failed to reserve ${kind} name "${name}": name "${name}" is reserved for "${id}"`;
    return new RuntimeError(verb, status, words);
  }
}

import type { Clock } from '#lib/clock.ts';
import { deadlines, execDeadline, stopDeadline } from '../deadlines.ts';
import { RuntimeError } from '../errors.ts';
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
  RuntimeStatus,
  RuntimeVersion,
} from '../types.ts';
import { CallScript } from './call-script.ts';
import type { FakeImages } from './fake-images.ts';
import { FakeMachine } from './fake-machine.ts';
import type { FakeBehaviour, FakeContainer, FakeSandbox } from './fake-machine.ts';
import { containerOf, sandboxOf, sandboxStatusOf, statsOf, statusOf, within } from './fake-views.ts';

const LIMITS = deadlines();
const NO_OUTPUT: ExecResult = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), exitCode: 0 };

export interface FakeRuntimeOptions {
  /** Where given, CreateContainer finds only the images that are in it. */
  images?: FakeImages;
}

/**
 * A RuntimeService in memory that acts as containerd does. Orders to single verbs (failures, hanging, the record of
 * calls) go through `script`; what happens to pods by itself through the methods of this class.
 */
export class FakeRuntime implements RuntimeService {
  readonly script: CallScript;
  readonly machine: FakeMachine;
  /** Answers ExecSync. */
  onExec: (container: FakeContainer, cmd: readonly string[]) => ExecResult | Promise<ExecResult> = () =>
    NO_OUTPUT;
  driver: 'systemd' | 'cgroupfs' = 'cgroupfs';
  networkReady = true;
  readonly #clock: Clock;
  readonly #images: FakeImages | undefined;
  readonly #behaviours = new Map<string, (attempt: number) => FakeBehaviour>();
  readonly #listeners = new Map<(event: ContainerEvent) => void, (reason: Error) => void>();

  constructor(clock: Clock, options: FakeRuntimeOptions = {}) {
    this.#clock = clock;
    this.#images = options.images;
    this.script = new CallScript(clock);
    this.machine = new FakeMachine(clock, (event) => {
      for (const listen of this.#listeners.keys()) listen(event);
    });
  }

  /** False: as containerd 1.6, where GetContainerEvents and RuntimeConfig are UNIMPLEMENTED. */
  get modern(): boolean {
    return this.machine.modern;
  }

  set modern(modern: boolean) {
    this.machine.modern = modern;
  }

  /** How containers named so act when they are created from now on; `attempt` is CRI's. */
  behave(container: string, behaviour: FakeBehaviour | ((attempt: number) => FakeBehaviour)): void {
    this.#behaviours.set(container, typeof behaviour === 'function' ? behaviour : () => behaviour);
  }

  /** Ends a container's process by itself. */
  exit(containerId: string, code: number, reason?: string, message?: string): void {
    this.machine.exit(this.machine.container('exit', containerId), code, reason, message);
  }

  /** Ends the sandbox's own process: NOTREADY, while its containers carry on. */
  killSandbox(sandboxId: string): void {
    this.machine.killSandbox(this.machine.sandbox('killSandbox', sandboxId));
  }

  /** The newest container of that name, in whatever state. */
  newest(name: string, podName?: string): FakeContainer | undefined {
    return [...this.machine.containers.values()].findLast(
      (each) =>
        each.config.metadata.name === name &&
        (podName === undefined || this.#podName(each.sandboxId) === podName),
    );
  }

  /** The runtime goes away: calls are UNAVAILABLE and event streams break; containers run on. */
  crash(): void {
    this.script.down = true;
    this.breakEvents();
  }

  restore(): void {
    this.script.down = false;
  }

  /** The machine restarted: nothing runs any more, everything is still listed. */
  reboot(): void {
    for (const sandbox of this.machine.sandboxes.values()) {
      for (const each of this.machine.containersOf(sandbox.id)) this.machine.exit(each, 255, 'Unknown');
      this.machine.stopSandbox(sandbox);
    }
  }

  breakEvents(): void {
    const listeners = [...this.#listeners.values()];
    for (const refuse of listeners) {
      refuse(new RuntimeError('GetContainerEvents', 'UNAVAILABLE', 'the stream broke'));
    }
  }

  version(options?: CallOptions): Promise<RuntimeVersion> {
    return this.#call('Version', '', [], LIMITS.read, options, () => ({
      runtimeName: 'containerd',
      runtimeVersion: 'v2.0.0',
      runtimeApiVersion: 'v1',
    }));
  }

  status(options?: CallOptions): Promise<RuntimeStatus> {
    return this.#call('Status', '', [], LIMITS.read, options, () => ({
      conditions: [
        { type: 'RuntimeReady', status: true, reason: '', message: '' },
        this.networkReady
          ? { type: 'NetworkReady', status: true, reason: '', message: '' }
          : {
              type: 'NetworkReady',
              status: false,
              reason: 'NetworkPluginNotReady',
              message: 'Network plugin returns error: cni plugin not initialized',
            },
      ],
      runtimeHandlers: [{ name: '', recursiveReadOnlyMounts: true, userNamespaces: true }],
      features: { supplementalGroupsPolicy: true },
    }));
  }

  cgroupDriver(options?: CallOptions): Promise<'systemd' | 'cgroupfs' | undefined> {
    return this.#call('RuntimeConfig', '', [], LIMITS.read, options, () =>
      this.machine.modern ? this.driver : undefined,
    );
  }

  updatePodCidr(podCidr: string, options?: CallOptions): Promise<void> {
    return this.#call('UpdateRuntimeConfig', podCidr, [podCidr], LIMITS.change, options, () => undefined);
  }

  runPodSandbox(config: PodSandboxConfig, runtimeHandler: string, options?: CallOptions): Promise<string> {
    const args = [config, runtimeHandler];
    return this.#call('RunPodSandbox', config.metadata.name, args, LIMITS.sandbox, options, () => {
      if (!this.networkReady && config.linux.securityContext.namespaceOptions.network !== 'NODE') {
        throw new RuntimeError(
          'RunPodSandbox',
          'UNKNOWN',
          'failed to setup network for sandbox: cni plugin not initialized',
        );
      }
      return this.machine.runSandbox(config, runtimeHandler).id;
    });
  }

  stopPodSandbox(id: string, options?: CallOptions): Promise<void> {
    return this.#call('StopPodSandbox', this.#podName(id), [id], LIMITS.change, options, () => {
      const sandbox = this.machine.sandboxes.get(id);
      if (sandbox !== undefined) this.machine.stopSandbox(sandbox);
    });
  }

  removePodSandbox(id: string, options?: CallOptions): Promise<void> {
    return this.#call('RemovePodSandbox', this.#podName(id), [id], LIMITS.change, options, () => {
      const sandbox = this.machine.sandboxes.get(id);
      if (sandbox !== undefined) this.machine.removeSandbox(sandbox);
    });
  }

  podSandboxStatus(id: string, options?: CallOptions): Promise<PodSandboxStatus> {
    return this.#call('PodSandboxStatus', this.#podName(id), [id], LIMITS.read, options, () =>
      sandboxStatusOf(this.machine.sandbox('PodSandboxStatus', id)),
    );
  }

  listPodSandbox(filter: SandboxFilter = {}, options?: CallOptions): Promise<PodSandbox[]> {
    return this.#call('ListPodSandbox', '', [filter], LIMITS.read, options, () =>
      [...this.machine.sandboxes.values()]
        .map(sandboxOf)
        .filter((each) => within(filter, each) && (filter.state ?? each.state) === each.state),
    );
  }

  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string> {
    const verb = 'CreateContainer';
    const { name, attempt } = config.metadata;
    return this.#call(verb, name, [sandboxId, config, sandbox], LIMITS.change, options, () => {
      const parent: FakeSandbox = this.machine.sandbox(verb, sandboxId);
      // containerd 2 notices only at the start.
      if (parent.state !== 'SANDBOX_READY' && !this.modern) {
        throw new RuntimeError(
          verb,
          'NOT_FOUND',
          'failed to get sandbox container task: no running task found',
        );
      }
      const image = this.#images?.find(config.image.image);
      if (this.#images !== undefined && image === undefined) {
        throw new RuntimeError(
          verb,
          'NOT_FOUND',
          `failed to resolve image "${config.image.image}": not found`,
        );
      }
      const behaviour = this.#behaviours.get(name)?.(attempt) ?? {};
      return this.machine.create(parent, config, image?.id ?? config.image.image, behaviour).id;
    });
  }

  startContainer(id: string, options?: CallOptions): Promise<void> {
    return this.#call('StartContainer', this.#name(id), [id], LIMITS.change, options, () =>
      this.machine.start(this.machine.container('StartContainer', id)),
    );
  }

  stopContainer(id: string, timeoutSeconds: number, options?: CallOptions): Promise<void> {
    const verb = 'StopContainer';
    const deadlineMs = stopDeadline(LIMITS, timeoutSeconds);
    return this.#call(verb, this.#name(id), [id, timeoutSeconds], deadlineMs, options, async () => {
      const container = this.machine.containers.get(id);
      const limits = this.script.limits(verb, options?.deadlineMs ?? deadlineMs, options?.signal);
      if (container !== undefined) await this.machine.stop(container, timeoutSeconds, limits);
    });
  }

  removeContainer(id: string, options?: CallOptions): Promise<void> {
    return this.#call('RemoveContainer', this.#name(id), [id], LIMITS.change, options, () => {
      const container = this.machine.containers.get(id);
      if (container !== undefined) this.machine.remove(container);
    });
  }

  listContainers(filter: ContainerFilter = {}, options?: CallOptions): Promise<Container[]> {
    return this.#call('ListContainers', '', [filter], LIMITS.read, options, () =>
      [...this.machine.containers.values()]
        .map(containerOf)
        .filter((each) => within(filter, each) && (filter.state ?? each.state) === each.state),
    );
  }

  containerStatus(id: string, options?: CallOptions): Promise<ContainerStatus> {
    return this.#call('ContainerStatus', this.#name(id), [id], LIMITS.read, options, () => {
      const container = this.machine.container('ContainerStatus', id);
      return statusOf(container, this.machine.sandbox('ContainerStatus', container.sandboxId));
    });
  }

  updateContainerResources(id: string, resources: LinuxResources, options?: CallOptions): Promise<void> {
    const verb = 'UpdateContainerResources';
    return this.#call(verb, this.#name(id), [id, resources], LIMITS.change, options, () => {
      const container = this.machine.container(verb, id);
      Object.assign(container.resources, resources);
    });
  }

  reopenContainerLog(id: string, options?: CallOptions): Promise<void> {
    return this.#call('ReopenContainerLog', this.#name(id), [id], LIMITS.read, options, () => {
      this.#running('ReopenContainerLog', id).logReopened++;
    });
  }

  execSync(id: string, cmd: string[], timeoutSeconds: number, options?: CallOptions): Promise<ExecResult> {
    const deadline = execDeadline(timeoutSeconds);
    return this.#call('ExecSync', this.#name(id), [id, cmd, timeoutSeconds], deadline, options, async () => {
      const container = this.#running('ExecSync', id);
      const ownLimit = timeoutSeconds > 0 ? timeoutSeconds * 1000 : undefined;
      const limit = this.script.limits('ExecSync', ownLimit, options?.signal);
      return new Promise<ExecResult>((resolve, reject) => {
        const disarm = limit(reject);
        void Promise.resolve(this.onExec(container, cmd)).then(resolve, reject).finally(disarm);
      });
    });
  }

  exec(request: ExecRequest, options?: CallOptions): Promise<string> {
    return this.#url('Exec', request.containerId, request, options);
  }

  attach(request: Omit<ExecRequest, 'cmd'>, options?: CallOptions): Promise<string> {
    return this.#url('Attach', request.containerId, request, options);
  }

  portForward(sandboxId: string, ports: number[], options?: CallOptions): Promise<string> {
    const verb = 'PortForward';
    return this.#call(verb, this.#podName(sandboxId), [sandboxId, ports], LIMITS.read, options, () => {
      this.machine.sandbox(verb, sandboxId);
      return `http://127.0.0.1:10010/portforward/${sandboxId}`;
    });
  }

  listContainerStats(filter: ContainerFilter = {}, options?: CallOptions): Promise<ContainerStats[]> {
    return this.#call('ListContainerStats', '', [filter], LIMITS.read, options, () =>
      [...this.machine.containers.values()]
        .filter((each) => each.state === 'CONTAINER_RUNNING' && within(filter, containerOf(each)))
        .map((each) => statsOf(each, this.#clock.now())),
    );
  }

  async containerEvents(onEvent: (event: ContainerEvent) => void, signal: AbortSignal): Promise<void> {
    const verb = 'GetContainerEvents';
    await this.#call(verb, '', [], undefined, { signal }, () => {
      if (!this.machine.modern)
        throw new RuntimeError(verb, 'UNIMPLEMENTED', `method ${verb} not implemented`);
    });
    // Wrapped, so that one function may listen twice.
    const listen = (event: ContainerEvent): void => onEvent(event);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#listeners.set(listen, reject);
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
    } finally {
      this.#listeners.delete(listen);
    }
  }

  #running(verb: string, id: string): FakeContainer {
    const container = this.machine.container(verb, id);
    if (container.state === 'CONTAINER_RUNNING') return container;
    throw new RuntimeError(verb, 'UNKNOWN', `container is in ${container.state} state`);
  }

  #url(verb: string, id: string, request: object, options: CallOptions | undefined): Promise<string> {
    return this.#call(verb, this.#name(id), [request], LIMITS.read, options, () => {
      this.#running(verb, id);
      return `http://127.0.0.1:10010/${verb.toLowerCase()}/${id}`;
    });
  }

  #name(containerId: string): string {
    return this.machine.containers.get(containerId)?.config.metadata.name ?? containerId;
  }

  #podName(sandboxId: string): string {
    return this.machine.sandboxes.get(sandboxId)?.config.metadata.name ?? sandboxId;
  }

  #call<T>(
    verb: string,
    target: string,
    args: readonly unknown[],
    deadlineMs: number | undefined,
    options: CallOptions | undefined,
    work: () => T | Promise<T>,
  ): Promise<T> {
    return this.script.play({ verb, target, args }, deadlineMs, options, work);
  }
}

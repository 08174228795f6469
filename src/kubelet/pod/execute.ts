import { runtimeStatus } from '#cri/errors.ts';
import type { RuntimeService } from '#cri/runtime.ts';
import type { LinuxResources } from '#cri/types.ts';
import { ensureDir, removeFile } from '#host/files.ts';
import { InternalError } from '#lib/errors.ts';
import { together } from '#lib/together.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import type { PodReferences } from '../objects/pod-references.ts';
import type { PostStart } from '../hooks/post-start.ts';
import type { RuntimeHandlers } from '../objects/runtime-handlers.ts';
import { type Paths, containerLogLink, podLogDir } from '../paths.ts';
import type { PodDnsSettings } from '../pod-dns.ts';
import { type SandboxResources, sandboxConfig } from '../spec/sandbox-config.ts';
import { volumeGroups } from '../spec/security-context.ts';
import { REMOVAL, RESIZE, SANDBOX, SETUP, VOLUMES } from './decision.ts';
import type { ContainerKiller } from './kill-containers.ts';
import { CONTAINER_NAME_LABEL } from './labels.ts';
import type { PodObserver } from './observer.ts';
import type { PodContext } from './pod-context.ts';
import type { PodCgroups, PodDirectories, PodVolumes } from './ports.ts';
import type { ContainerStarter, StarterParts } from './start-container.ts';
import { PodResizer } from './resize-pod.ts';
import { filedUnder } from './step-failure.ts';
import { requireUserNamespaces } from './user-namespaces.ts';
import type { Step, StepKind, StepOf } from './steps.ts';

export interface ExecutorParts extends Pick<
  StarterParts,
  'runtime' | 'images' | 'records' | 'events' | 'gate' | 'clock' | 'paths'
> {
  references: PodReferences;
  handlers: Pick<RuntimeHandlers, 'handlerOf'>;
  resourcesOf(pod: AgentPod, container: Container): LinuxResources;
  /** What the runtime is told of the pod's resources, for sandboxes that are virtual machines. */
  sandboxResourcesOf(pod: AgentPod): SandboxResources;
  volumes: PodVolumes;
  cgroups: PodCgroups;
  directories: PodDirectories;
  starter: ContainerStarter;
  killer: ContainerKiller;
  postStart: PostStart;
  observer: PodObserver;
  /** Asked for every sandbox: the node's settings change under a running agent. */
  dns: Pick<PodDnsSettings, 'of'>;
  clusterDomain: string;
}

type Executor<K extends StepKind> = (
  context: PodContext,
  step: StepOf<K>,
  signal: AbortSignal,
) => Promise<void>;

/** Does the steps of decisions. A kind of step without an executor doesn't compile. */
export class StepExecutor {
  readonly #parts: ExecutorParts;
  readonly #executors: { [K in StepKind]: Executor<K> };

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    const resizer = new PodResizer(parts);
    this.#executors = {
      setUp: (context, _step, signal) => this.#setUp(context, signal),
      refreshVolumes: ({ pod }, _step, signal) =>
        filedUnder(VOLUMES, 'FailedMount', () => parts.volumes.refresh(pod, signal)),
      createSandbox: (context, step, signal) => this.#createSandbox(context, step.attempt, signal),
      stopSandbox: (context, step) => this.#stopSandbox(context, step.id),
      removeSandbox: (_context, step) =>
        filedUnder(REMOVAL, 'FailedKillPod', () => goneIsFine(this.#runtime.removePodSandbox(step.id))),
      requestImage: async (_context, step) => parts.images.request(step.request),
      resize: (context, _step, signal) =>
        filedUnder(RESIZE, 'ResizeError', () => resizer.resize(context, signal)),
      startContainer: async (context, step, signal) => {
        if (step.attempt > 0) await this.#killStrays(context);
        await parts.starter.start(context, step, signal);
      },
      startCreated: (context, step, signal) => parts.starter.startCreated(context, step, signal),
      postStart: (context, step, signal) =>
        filedUnder(SETUP, 'FailedKillPod', () => parts.postStart.run(context, step, signal)),
      killContainers: (context, step, signal) =>
        filedUnder(SETUP, 'FailedKillPod', () => parts.killer.kill(context, step, signal)),
      tearDown: (context, _step, signal) => this.#tearDown(context, signal),
      forget: (context) => this.#forget(context),
    };
  }

  /** Rejects with a StepFailure, or with the signal's reason. */
  async execute(context: PodContext, step: Step, signal: AbortSignal): Promise<void> {
    // The table's type ties each kind to its executor; TypeScript can't see that through a lookup.
    const executor = this.#executors[step.kind] as Executor<StepKind>;
    await executor(context, step, signal);
  }

  get #runtime(): RuntimeService {
    return this.#parts.runtime;
  }

  get #paths(): Paths {
    return this.#parts.paths;
  }

  async #setUp(context: PodContext, signal: AbortSignal): Promise<void> {
    const { pod, priority } = context;
    const { gate, cgroups, directories, records, volumes: mounts } = this.#parts;
    // In its turn, so that the oldest of many pods needn't wait for all others' directories.
    await gate.run(priority, signal, () =>
      filedUnder(SETUP, 'FailedCreatePodDirectories', async () => {
        await directories.ensure(pod);
        await ensureDir(podLogDir(this.#paths, pod.metadata), 0o755);
        await records.write(context.record);
      }),
    );
    // A volume waits for the API server (tokens), the cgroups for the kernel.
    const [cgroupParent, volumes] = await together(
      signal,
      async (both) => {
        const parent = await gate.run(priority, both, () =>
          filedUnder(SETUP, 'FailedCreatePodContainer', () => cgroups.ensure(pod)),
        );
        await this.#killStrays(context);
        return parent;
      },
      (both) => filedUnder(SETUP, 'FailedMount', () => mounts.setUp(pod, both)),
    );
    context.setUp = { cgroupParent, volumes };
    context.isTornDown = false;
  }

  /**
   * Where an agent is killed, or a deadline passes, in the middle of a call, the runtime may believe that nothing
   * came of it while the process starts all the same: nothing may run twice.
   */
  async #killStrays({ pod, sight, record }: PodContext): Promise<void> {
    const live = new Set([
      ...(sight?.sandboxes ?? []).filter(({ state }) => state === 'SANDBOX_READY').map(({ id }) => id),
      ...(sight?.containers ?? [])
        .filter(({ status }) => status.state !== 'CONTAINER_EXITED')
        .map(({ status }) => status.id),
      // Started since the last look, by an earlier step of this round.
      ...Object.values(record.containers)
        .filter(({ ended }) => ended === undefined)
        .map(({ id }) => id),
    ]);
    await filedUnder(SETUP, 'FailedCreatePodContainer', () =>
      this.#parts.cgroups.killStrays(pod.metadata.uid, (id) => live.has(id)),
    );
  }

  async #createSandbox(context: PodContext, attempt: number, signal: AbortSignal): Promise<void> {
    const { pod, setUp } = context;
    if (setUp === undefined) throw new InternalError('a sandbox is made before its cgroup');
    await filedUnder(SANDBOX, 'FailedCreatePodSandBox', async () => {
      const { handler, warning } = this.#parts.handlers.handlerOf(pod);
      if (warning !== undefined) this.#parts.events.event(pod, 'Warning', 'UnsupportedField', warning);
      await requireUserNamespaces(pod, handler, this.#runtime);
      const dns = await this.#parts.dns.of(pod);
      const config = sandboxConfig(pod, {
        attempt,
        cgroupParent: setUp.cgroupParent,
        clusterDomain: this.#parts.clusterDomain,
        dns,
        paths: this.#paths,
        resources: this.#parts.sandboxResourcesOf(pod),
        volumeGroups: volumeGroups(setUp.volumes),
      });
      await this.#parts.gate.run(context.priority, signal, () =>
        this.#runtime.runPodSandbox(config, handler),
      );
    });
  }

  async #stopSandbox(context: PodContext, id: string): Promise<void> {
    await filedUnder(SETUP, 'FailedKillPod', () => goneIsFine(this.#runtime.stopPodSandbox(id)));
    context.stoppedSandboxes.add(id);
  }

  async #tearDown(context: PodContext, signal: AbortSignal): Promise<void> {
    const { uid } = context.pod.metadata;
    const unmounted = filedUnder(SETUP, 'FailedUnMount', () => this.#parts.volumes.tearDown(uid, signal));
    // Before the cgroup goes, or a memory volume's pages would be charged to the group above. But what runs there
    // without the runtime's knowledge may be what keeps a volume busy: then it must go first.
    await unmounted.catch(() => undefined);
    await filedUnder(SETUP, 'FailedKillPod', () => this.#parts.cgroups.remove(uid));
    await unmounted;
    for (const { status } of context.sight?.containers ?? []) this.#parts.killer.forget(status.id);
    this.#parts.images.forget(uid);
    this.#parts.references.release(uid);
    context.setUp = undefined;
    context.isTornDown = true;
  }

  async #forget(context: PodContext): Promise<void> {
    const { pod, sight } = context;
    const { uid } = pod.metadata;
    await filedUnder(SETUP, 'FailedKillPod', async () => {
      for (const { status } of sight?.containers ?? []) {
        const name = status.labels[CONTAINER_NAME_LABEL] ?? status.metadata.name;
        await removeFile(containerLogLink(this.#paths, pod.metadata, name, status.id));
      }
      await this.#parts.directories.removeLogs(pod);
      await this.#parts.records.remove(uid);
      await this.#parts.directories.remove(uid);
    });
    this.#parts.observer.forget(uid);
    this.#parts.references.release(uid);
    context.isForgotten = true;
  }
}

async function goneIsFine(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (runtimeStatus(error) !== 'NOT_FOUND') throw error;
  }
}

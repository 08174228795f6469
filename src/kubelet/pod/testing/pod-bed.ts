/** The pod workers on a fake runtime and a real temporary directory: for scenario tests with a clock moved by hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LinuxResources } from '#cri/types.ts';
import { FakeRuntime } from '#cri/testing/fake-runtime.ts';
import type { AgentPod, Container, ContainerStatus, PodSpec, PodStatus } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { PriorityGate } from '#lib/priority-gate.ts';
import type { Outcome } from '#probes/outcome.ts';
import type { ProbeTarget } from '#probes/prober.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import type { Admission } from '../../admission.ts';
import { EventLog } from '../../events.ts';
import { PostStart } from '../../hooks/post-start.ts';
import { PreStops } from '../../hooks/pre-stops.ts';
import { HookRunner } from '../../hooks/run-hook.ts';
import { ContainerEnvironment } from '../../objects/container-environment.ts';
import { LocalObjects } from '../../objects/local-objects.ts';
import { PodReferences } from '../../objects/pod-references.ts';
import type { RuntimeClassLister, ServiceLister } from '../../objects/ports.ts';
import { RuntimeHandlers } from '../../objects/runtime-handlers.ts';
import type { Paths } from '../../paths.ts';
import { podDir, podLogDir } from '../../paths.ts';
import { ContainerCommands } from '../../probing/container-commands.ts';
import { ProbeManager } from '../../probing/probe-manager.ts';
import { amountsOf } from '../allocation.ts';
import { CRASH_BACKOFF } from '../crash-backoff.ts';
import { StepExecutor } from '../execute.ts';
import { ContainerKiller } from '../kill-containers.ts';
import { PodObserver } from '../observer.ts';
import { PodWorker } from '../pod-worker.ts';
import { PodWorkers } from '../pod-workers.ts';
import type { HostVolume, ImageRequest, ImageState, PodImages, PodStatusSink } from '../ports.ts';
import { RecordStore } from '../record-store.ts';
import { ContainerStarter } from '../start-container.ts';

export function makePod(
  name: string,
  spec: Omit<Partial<PodSpec>, 'containers' | 'initContainers'> & {
    containers: Partial<Container>[];
    initContainers?: Partial<Container>[];
  },
  uid = `uid-${name}`,
): AgentPod {
  const complete = (container: Partial<Container>): Container => ({
    name: 'main',
    image: 'img',
    terminationMessagePath: '',
    ...container,
  });
  const { containers, initContainers, ...rest } = spec;
  return {
    metadata: { name, namespace: 'default', uid },
    spec: {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      ...rest,
      containers: containers.map(complete),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(complete) }),
    },
  };
}

/** Images that are there as soon as they are asked for, unless a test says otherwise. */
export class ScriptedImages implements PodImages {
  readonly requests: ImageRequest[] = [];
  readonly states = new Map<string, ImageState>();
  readonly #known = new Set<string>();

  state(uid: string, container: string, attempt: number): ImageState {
    if (!this.#known.has(`${uid}/${container}/${attempt}`)) return { kind: 'unknown' };
    return this.states.get(container) ?? readyImage;
  }

  request(request: ImageRequest): void {
    this.requests.push(request);
    this.#known.add(`${request.pod.metadata.uid}/${request.container.name}/${request.attempt}`);
    this.onChange(request.pod.metadata.uid);
  }

  forget(): void {
    // Nothing is held for long.
  }

  onChange: (uid: string) => void = () => undefined;
}

const readyImage: ImageState = {
  kind: 'ready',
  ref: 'sha256:img',
  image: { id: 'sha256:img', repoTags: ['img'], repoDigests: [], size: 1, username: '', pinned: false },
};

/** How long the disk may keep a round on a busy machine. */
const QUIET_MS = 400;

/** What a bed leaves to its user. */
export interface PodBedOutside {
  /** Asked for each agent that is built. */
  statuses?: () => PodStatusSink;
  admission?: Admission;
  /** Called before volumes or a cgroup go; what it returns is waited for. */
  onTearDown?: (what: 'volumes' | 'cgroup', uid: string) => Promise<void> | void;
}

export class PodBed {
  readonly clock = new FakeClock(undefined, () => this.#settle());
  readonly runtime = new FakeRuntime(this.clock);
  readonly dir = mkdtempSync(join(tmpdir(), 'nodelet-pods-'));
  readonly paths: Paths = {
    root: join(this.dir, 'root'),
    podLogs: join(this.dir, 'log/pods'),
    containerLogs: join(this.dir, 'log/containers'),
  };
  readonly cgroups = new Set<string>();
  readonly mounted = new Set<string>();
  /** By pod: what the last search for strays was told to spare. */
  readonly strays = new Map<string, (id: string) => boolean>();
  images = new ScriptedImages();
  events = new EventLog(this.clock, silentLogger, 'node');
  volumeFailure: Error | undefined;
  /** Every renewal of a pod's volumes. */
  readonly refreshed: string[] = [];
  /** Every change of a pod's group while it runs. */
  readonly resized: string[] = [];
  services: ServiceLister | undefined;
  runtimeClasses: RuntimeClassLister | undefined;
  /** The present agent's ConfigMaps and Secrets. */
  objects = new LocalObjects();
  references = this.#referencesOf(this.objects);
  #agent = new AbortController();
  #probes: ProbeManager | undefined;
  /** Answers every probe. */
  probe: (target: ProbeTarget, timeoutSeconds: number, signal: AbortSignal) => Promise<Outcome> = () =>
    Promise.resolve({ kind: 'success', words: '' });
  readonly #outside: PodBedOutside;
  workers: PodWorkers;

  constructor(outside: PodBedOutside = {}) {
    this.#outside = outside;
    this.workers = this.#build();
  }

  /** Ends the agent; a round that hangs in the runtime is left hanging. */
  killAgent(): void {
    this.#agent.abort();
    this.#probes?.stop();
    this.workers.stop().catch(() => undefined);
  }

  /** Starts a new agent over the same runtime and disk, as after kill -9. */
  restartAgent(): void {
    this.killAgent();
    this.images = new ScriptedImages();
    this.objects = new LocalObjects();
    this.references = this.#referencesOf(this.objects);
    this.events = new EventLog(this.clock, silentLogger, 'node');
    this.workers = this.#build();
  }

  /** Moves time on. */
  async run(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await this.until(() => true);
  }

  /** Moves time on, a little at a time and a minute at most, until `condition` holds. */
  async runUntil(condition: () => boolean): Promise<void> {
    for (let passed = 0; passed < 60_000; passed += 100) {
      await this.#settle();
      if (condition()) return;
      await this.clock.advance(100);
    }
    throw new Error(`never came true: ${condition.toString()}`);
  }

  /** Lets the agent work, without time passing on its clock, until `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    const end = Date.now() + 3000;
    do {
      await this.#settle();
      await new Promise((resolve) => setTimeout(resolve, 5));
    } while (!condition() && Date.now() < end);
    if (!condition()) throw new Error(`never came true: ${condition.toString()}`);
  }

  /** Until no pod is being looked after, or what is under way waits for the clock (or hangs): nothing moves. */
  async #settle(): Promise<void> {
    let still = performance.now();
    let seen = -1;
    do {
      await settle();
      if (this.workers.busy === 0) return;
      const moved = this.runtime.script.calls.length + this.clock.pending;
      if (moved !== seen) still = performance.now();
      seen = moved;
      await new Promise((resolve) => setTimeout(resolve, 1));
    } while (performance.now() < still + QUIET_MS);
  }

  /** Loses what agents wrote on the disk. */
  forgetRecords(): void {
    rmSync(this.paths.root, { recursive: true, force: true });
  }

  dispose(): void {
    this.#agent.abort();
    rmSync(this.dir, { recursive: true, force: true });
  }

  status(name: string): PodStatus | undefined {
    return this.workers.snapshots().find(({ context }) => context.pod.metadata.name === name)?.context.status;
  }

  container(pod: string, name = 'main'): ContainerStatus | undefined {
    const status = this.status(pod);
    return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find(
      (each) => each.name === name,
    );
  }

  /** `NAME#ATTEMPT` of every container that runs. */
  running(): string[] {
    return [...this.runtime.machine.containers.values()]
      .filter((each) => each.state === 'CONTAINER_RUNNING')
      .map((each) => `${each.config.metadata.name}#${each.config.metadata.attempt}`)
      .sort();
  }

  /** The verbs that change something, in order, as `Verb target`. */
  changes(): string[] {
    return this.runtime.script.calls
      .filter(({ verb }) => /^(Run|Create|Start|Stop|Remove)/.test(verb))
      .map(({ verb, target }) => `${verb} ${target}`);
  }

  reasons(): string[] {
    return this.events.list().map((event) => event.reason ?? '');
  }

  #referencesOf(objects: LocalObjects): PodReferences {
    const { services, runtimeClasses, clock } = this;
    return new PodReferences({ objects, services, runtimeClasses, clock });
  }

  #build(): PodWorkers {
    const { clock, runtime, paths, images, events, references } = this;
    const records = new RecordStore(paths, silentLogger);
    const observer = new PodObserver(runtime, () => Promise.resolve(''));
    const gate = new PriorityGate(4);
    const common = { runtime, images, records, events, gate, clock, paths, references };
    const starter = new ContainerStarter({
      ...common,
      messages: { prepare: () => Promise.resolve('/dev/null') },
      subPaths: { prepare: ({ volumePath }) => Promise.resolve(volumePath) },
      hostsFiles: { prepare: () => Promise.resolve(undefined) },
      environment: new ContainerEnvironment({
        objects: this.objects,
        services: this.services,
        allocatable: () => new Map(),
        hostIps: ['192.0.2.1'],
      }),
      hostIps: ['192.0.2.1'],
      clusterDomain: 'cluster.local',
      seccompDefault: false,
      resourcesOf,
    });
    const commands = new ContainerCommands({
      runtime,
      processesOf: () => Promise.resolve([]),
      clock,
      log: silentLogger,
    });
    const probes = new ProbeManager({
      commands,
      events,
      clock,
      random: () => 0.5,
      execsAtOnce: 16,
      onChange: (uid) => workers.restate(uid),
      probe: (target, timeoutSeconds, _clock, signal) => this.probe(target, timeoutSeconds, signal),
    });
    this.#probes = probes;
    const runner = new HookRunner({ commands, events, clock });
    const preStops = new PreStops({ runner, events, clock, log: silentLogger });
    const killer = new ContainerKiller({ runtime, records, preStops, clock, events });
    const executor = new StepExecutor({
      ...common,
      volumes: {
        setUp: (pod) => {
          if (this.volumeFailure !== undefined) return Promise.reject(this.volumeFailure);
          this.mounted.add(pod.metadata.uid);
          return Promise.resolve(new Map<string, HostVolume>());
        },
        refresh: (pod) => {
          this.refreshed.push(pod.metadata.uid);
          return this.volumeFailure === undefined ? Promise.resolve() : Promise.reject(this.volumeFailure);
        },
        tearDown: async (uid, signal) => {
          await this.#outside.onTearDown?.('volumes', uid);
          signal.throwIfAborted();
          this.mounted.delete(uid);
        },
      },
      cgroups: {
        ensure: (pod) => {
          this.cgroups.add(pod.metadata.uid);
          return Promise.resolve(`/kubepods/pod${pod.metadata.uid}`);
        },
        resize: (pod, _before, resource, direction) => {
          this.resized.push(`${direction} ${resource} ${pod.metadata.name}`);
          return Promise.resolve();
        },
        killStrays: (uid, isLive) => {
          this.strays.set(uid, isLive);
          return Promise.resolve();
        },
        remove: async (uid) => {
          await this.#outside.onTearDown?.('cgroup', uid);
          this.cgroups.delete(uid);
        },
      },
      directories: {
        ensure: async (pod) => {
          await mkdir(podDir(paths, pod.metadata.uid), { recursive: true });
          await mkdir(paths.containerLogs, { recursive: true });
        },
        removeLogs: (pod) => {
          rmSync(podLogDir(paths, pod.metadata), { recursive: true, force: true });
          return Promise.resolve();
        },
        remove: (uid) => {
          rmSync(podDir(paths, uid), { recursive: true, force: true });
          return Promise.resolve();
        },
      },
      handlers: new RuntimeHandlers(this.runtimeClasses),
      resourcesOf,
      sandboxResourcesOf: () => ({ resources: {}, overhead: {} }),
      starter,
      killer,
      postStart: new PostStart({ runner, killer, events, log: silentLogger }),
      observer,
      dns: { of: () => Promise.resolve({ servers: [], searches: [], options: [] }) },
      clusterDomain: 'cluster.local',
    });
    const statuses = this.#outside.statuses?.();
    const worker = new PodWorker({
      observer,
      executor,
      references,
      images,
      probes,
      records,
      events,
      clock,
      log: silentLogger,
      statuses,
      hostIps: ['192.0.2.1'],
      runtimeName: 'containerd',
      backoffLimits: CRASH_BACKOFF,
    });
    const workers = new PodWorkers({
      worker,
      records,
      events,
      clock,
      log: silentLogger,
      statuses,
      admission: this.#outside.admission,
      logFloor: () => Promise.resolve(new Map()),
    });
    images.onChange = (uid) => workers.markDirty(uid);
    references.onDirty((uid) => (uid === undefined ? workers.markAllDirty() : workers.markDirty(uid)));
    this.#agent = new AbortController();
    // Ends when the bed is disposed of or the agent is restarted.
    runtime
      .containerEvents((event) => workers.markDirty(event.podUid ?? ''), this.#agent.signal)
      .catch(() => undefined);
    return workers;
  }
}

/** What a test can see of a container's resources. */
const resourcesOf = (_pod: AgentPod, container: Container): LinuxResources => {
  const { cpuRequest, cpuLimit, memoryLimit } = amountsOf(container);
  return { cpuShares: cpuRequest, cpuQuota: cpuLimit, memoryLimitInBytes: memoryLimit };
};

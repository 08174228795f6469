import type { RuntimeService } from '#cri/runtime.ts';
import type { Container } from '#cri/types.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { PriorityGate } from '#lib/priority-gate.ts';
import type { Paths } from '../paths.ts';
import { podUidOf } from '../pod/labels.ts';
import { DEFAULT_GC_POLICY, collectableContainers, collectableSandboxes, isLiving } from './collectable.ts';
import type { GcPolicy, Living } from './collectable.ts';
import { podLogDirs, removeDeadLinks, removePodLogDir } from './log-directories.ts';
import { podDirs, removePodDir } from './pod-directories.ts';
import type { BlockedPod, GcCgroups, GcPods, GcVolumes } from './pods.ts';
import { removeContainer } from './remove-container.ts';
import type { RemovalRuntime } from './remove-container.ts';

export type GcRuntime = RemovalRuntime &
  Pick<RuntimeService, 'listContainers' | 'listPodSandbox' | 'stopPodSandbox' | 'removePodSandbox'>;

export interface GarbageCollectorParts {
  runtime: GcRuntime;
  paths: Paths;
  pods: GcPods;
  volumes: GcVolumes;
  cgroups: GcCgroups;
  /** Every mount point of the machine, as the mount table has it now. */
  mountPoints: () => Promise<readonly string[]>;
  /**
   * Told all pods whose folders can't be removed, whenever that changes (also none any more): one message for all of
   * them, not one a pod and run.
   */
  onBlocked(pods: readonly BlockedPod[]): void;
  clock: Clock;
  logger: Logger;
  policy?: GcPolicy;
  /** Removals at once; 4 unless given. */
  concurrency?: number;
}

/** What a run removed, and what it could not. */
export interface GcResult {
  containers: number;
  sandboxes: number;
  logDirectories: number;
  links: number;
  podDirectories: number;
  cgroups: number;
  failures: number;
  blocked: BlockedPod[];
}

/** Removes what pods leave behind. Its owner calls `run` at the start and each minute. */
export class GarbageCollector {
  readonly #parts: GarbageCollectorParts;
  readonly #gate: PriorityGate;
  #running: Promise<GcResult> | undefined;
  #reported = '';

  constructor(parts: GarbageCollectorParts) {
    this.#parts = parts;
    this.#gate = new PriorityGate(parts.concurrency ?? 4);
  }

  /** One run at a time: a call during a run is that run. Failures are logged and counted; the next run tries again. */
  run(signal: AbortSignal): Promise<GcResult> {
    this.#running ??= this.#run(signal).finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(signal: AbortSignal): Promise<GcResult> {
    const result: GcResult = {
      containers: 0,
      sandboxes: 0,
      logDirectories: 0,
      links: 0,
      podDirectories: 0,
      cgroups: 0,
      failures: 0,
      blocked: [],
    };
    if (this.#living() === undefined) return result;
    await this.#attempt(result, 'collect garbage', async () => {
      await this.#containers(result, signal);
      const left = await this.#sandboxes(result, signal);
      await this.#logDirectories(result, left, signal);
      await this.#attempt(result, 'remove dead log links', async () => {
        const list = (): Promise<Container[]> => this.#parts.runtime.listContainers({}, { signal });
        result.links = await removeDeadLinks(this.#parts.paths, list);
      });
      await this.#podDirectories(result, left, signal);
      await this.#cgroups(result, left, signal);
    });
    this.#report(result.blocked);
    return result;
  }

  #living(): Living | undefined {
    const { pods } = this.#parts;
    const desired = pods.desiredUids();
    return desired && { desired, isProtected: (id) => pods.isProtected(id) };
  }

  /** Asked again right before each removal: a run takes a while, and static pods come back under their old UID. */
  #isGone(uid: string): boolean {
    const living = this.#living();
    return living !== undefined && !isLiving(uid, living);
  }

  async #attempt(result: GcResult, what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      result.failures++;
      this.#parts.logger.warn({ err: error }, `cannot ${what}`);
    }
  }

  async #each<T>(
    result: GcResult,
    items: readonly T[],
    signal: AbortSignal,
    what: (item: T) => string,
    work: (item: T) => Promise<void>,
  ): Promise<void> {
    const one = (item: T): Promise<void> =>
      this.#gate.run(0, signal, () => this.#attempt(result, what(item), () => work(item)));
    const outcomes = await Promise.allSettled(items.map(one));
    signal.throwIfAborted();
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #containers(result: GcResult, signal: AbortSignal): Promise<void> {
    const { runtime, paths, pods, clock, policy = DEFAULT_GC_POLICY } = this.#parts;
    const containers = await runtime.listContainers({}, { signal });
    const living = this.#living();
    if (living === undefined) return;
    const dead = collectableContainers(containers, living, policy, clock.now());
    await this.#each(
      result,
      dead,
      signal,
      ({ container }) => `remove the dead container ${container.metadata.name} (${container.id})`,
      async ({ container: { id, podSandboxId }, stopFirst }) => {
        if (pods.isProtected(id) || pods.isProtected(podSandboxId)) return;
        await removeContainer(runtime, paths, id, { stopFirst, signal });
        result.containers++;
      },
    );
  }

  /** Removes dead sandboxes; returns the UIDs of pods that the runtime still has anything of. */
  async #sandboxes(result: GcResult, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const { runtime, pods } = this.#parts;
    const sandboxes = await runtime.listPodSandbox({}, { signal });
    const containers = await runtime.listContainers({}, { signal });
    const living = this.#living();
    const dead = living === undefined ? [] : collectableSandboxes(sandboxes, containers, living);
    const removed = new Set<string>();
    await this.#each(
      result,
      dead,
      signal,
      ({ id, metadata }) => `remove the dead sandbox of ${metadata.namespace}/${metadata.name} (${id})`,
      async ({ id }) => {
        if (pods.isProtected(id)) return;
        // Frees the address, in case nobody stopped it.
        await runtime.stopPodSandbox(id, { signal });
        await runtime.removePodSandbox(id, { signal });
        removed.add(id);
        result.sandboxes++;
      },
    );
    const left = [...containers, ...sandboxes.filter(({ id }) => !removed.has(id))].map(podUidOf);
    return new Set(left.filter((uid) => uid !== undefined));
  }

  async #logDirectories(result: GcResult, left: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { paths, pods } = this.#parts;
    const dirs = (await podLogDirs(paths)).filter(({ uid }) => !left.has(uid) && this.#isGone(uid));
    await this.#each(
      result,
      dirs,
      signal,
      ({ name }) => `remove the log folder ${name}`,
      ({ uid, name }) =>
        pods.exclusively(uid, async () => {
          if (!this.#isGone(uid)) return;
          if (await removePodLogDir(paths, name, signal)) result.logDirectories++;
        }),
    );
  }

  async #podDirectories(result: GcResult, left: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { paths, pods, volumes, mountPoints } = this.#parts;
    const uids = (await podDirs(paths)).filter((uid) => !left.has(uid) && this.#isGone(uid));
    await this.#each(
      result,
      uids,
      signal,
      (uid) => `remove the folder of pod ${uid}`,
      (uid) =>
        pods.exclusively(uid, async () => {
          if (!this.#isGone(uid)) return;
          try {
            const obstacle = await removePodDir(paths, uid, { volumes, mountPoints, signal });
            if (obstacle === undefined) result.podDirectories++;
            else result.blocked.push(obstacle);
          } catch (error) {
            signal.throwIfAborted();
            result.blocked.push({ uid, path: '', why: 'error', message: describeError(error) });
          }
        }),
    );
  }

  async #cgroups(result: GcResult, left: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { cgroups, pods } = this.#parts;
    // The memory of a tmpfs that is still mounted would move to the parent group.
    const mounted = new Set(result.blocked.map(({ uid }) => uid));
    const uids = [...(await cgroups.list())].filter(
      (uid) => !left.has(uid) && !mounted.has(uid) && this.#isGone(uid),
    );
    await this.#each(
      result,
      uids,
      signal,
      (uid) => `remove the cgroup of pod ${uid}`,
      (uid) =>
        pods.exclusively(uid, async () => {
          if (!this.#isGone(uid)) return;
          await cgroups.remove(uid);
          result.cgroups++;
        }),
    );
  }

  #report(blocked: BlockedPod[]): void {
    blocked.sort((a, b) => (a.uid < b.uid ? -1 : 1));
    const summary = blocked.map(({ uid, message }) => `${uid}: ${message}`).join('\n');
    if (summary === this.#reported) return;
    this.#reported = summary;
    this.#parts.onBlocked(blocked);
  }
}

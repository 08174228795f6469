/** The groups of all pods: `kubepods`, its QoS classes, and a group a pod in them. */
import { dirname, join } from 'node:path';
import { machineCgroupFiles } from '#host/cgroup-files.ts';
import type { CgroupFiles } from '#host/cgroup-files.ts';
import { run } from '#host/process.ts';
import type { Clock } from '#lib/clock.ts';
import { podQosClass } from '#lib/kube/qos.ts';
import { amountOf, podRequests } from '#lib/kube/resources.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { NodeResources } from './compute.ts';
import { MIN_SHARES } from './cpu.ts';
import type { CgroupLayout } from './layout.ts';
import { QOS_CLASSES, cgroupfsNaming, podName, podsName, qosName, systemdNaming } from './names.ts';
import type { CgroupName, CgroupNaming } from './names.ts';
import { burstableShares, podCgroupLimits, resizeSteps } from './pod-limits.ts';
import type { CgroupLimits } from './pod-limits.ts';
import { killIn, processesIn, removeGroups } from './removal.ts';
import { SystemdSlices } from './systemd.ts';
import type { ProgramRunner } from './systemd.ts';
import { CgroupTree } from './tree.ts';
import { readUsage } from './usage.ts';
import type { CgroupUsage } from './usage.ts';

export interface PodCgroupManagerOptions {
  layout: CgroupLayout;
  driver: 'cgroupfs' | 'systemd';
  /** The group above `kubepods`: the setting `cgroupRoot`, `/` unless set. */
  cgroupRoot: string;
  node: Pick<NodeResources, 'cpuCfsQuota' | 'cpuCfsQuotaPeriodUs' | 'hugePageSizes'>;
  /** The setting `podPidsLimit`; undefined or not positive: no limit. */
  podPidsLimit?: number;
  /** What all pods together may use (`enforceNodeAllocatable: [pods]`); undefined: whatever there is. */
  nodeAllocatable?: CgroupLimits;
  clock: Clock;
  logger: Logger;
  /** Milliseconds that removing one pod's group may take; 10,000 unless given. */
  removeTimeoutMs?: number;
  files?: CgroupFiles;
  runner?: ProgramRunner;
}

/** Implements the pod worker's PodCgroups. Calls for one pod must not overlap; calls for different pods may. */
export class PodCgroupManager {
  readonly #options: PodCgroupManagerOptions;
  readonly #files: CgroupFiles;
  readonly #tree: CgroupTree;
  readonly #naming: CgroupNaming;
  readonly #pods: CgroupName;
  readonly #slices: SystemdSlices | undefined;
  /** Thousandths of a CPU that each known Burstable pod requests. */
  readonly #burstable = new Map<string, number>();
  #burstableShares: number | undefined;
  #started: Promise<void> | undefined;
  #lastUpdate: Promise<void> = Promise.resolve();

  constructor(options: PodCgroupManagerOptions) {
    this.#options = options;
    this.#files = options.files ?? machineCgroupFiles;
    this.#pods = podsName(options.cgroupRoot);
    const { layout, logger, node } = options;
    this.#tree = new CgroupTree({ layout, files: this.#files, hugePageSizes: node.hugePageSizes, logger });
    const systemd = options.driver === 'systemd';
    this.#naming = systemd ? systemdNaming : cgroupfsNaming;
    if (systemd) this.#slices = new SystemdSlices(options.runner ?? run, options.clock, layout.version);
  }

  /**
   * Makes `kubepods` and the QoS groups. `ensure` does it too; call it at start so that problems show early.
   * Idempotent; after a failure the next call tries again.
   */
  start(): Promise<void> {
    this.#started ??= this.#makeTop().catch((error: unknown) => {
      this.#started = undefined;
      throw error;
    });
    return this.#started;
  }

  async #makeTop(): Promise<void> {
    const { layout, logger, nodeAllocatable } = this.#options;
    if (layout.missing.length > 0) {
      logger.warn(
        { missing: layout.missing },
        'cgroup controllers are missing: their limits are not enforced',
      );
    }
    await this.#make(this.#pods, nodeAllocatable ?? {}, 'adjust');
    await this.#make(qosName(this.#pods, 'Burstable'), {}, 'adjust');
    await this.#make(qosName(this.#pods, 'BestEffort'), { cpuShares: MIN_SHARES }, 'adjust');
  }

  /**
   * Gives `kubepods` the limits of `nodeAllocatable` again. Rejects with CgroupError where the kernel refuses: the pods
   * may use more than that just now.
   */
  async limitAll(): Promise<void> {
    await this.start();
    const limits = this.#options.nodeAllocatable ?? {};
    await this.#slices?.adjust(this.rootPath, limits);
    await this.#tree.enforce(this.rootPath, limits);
  }

  /** `set`: the group has exactly these limits; `adjust`: limits that aren't named stay. */
  async #make(name: CgroupName, limits: CgroupLimits, how: 'set' | 'adjust'): Promise<string> {
    const path = this.#naming.path(name);
    await this.#slices?.ensure(path, limits, how);
    const fresh = await this.#tree.make(path);
    if (how === 'set') await this.#tree.limit(path, limits, fresh);
    else await this.#tree.adjust(path, limits);
    return path;
  }

  /** Makes the pod's group, or gives an existing one the pod's present limits. Returns CRI's `cgroup_parent`. */
  async ensure(pod: AgentPod): Promise<string> {
    await this.start();
    const { node, podPidsLimit } = this.#options;
    const { uid } = pod.metadata;
    const qos = podQosClass(pod);
    const limits = podCgroupLimits(pod, node, podPidsLimit);
    const path = await this.#make(podName(this.#pods, qos, uid), limits, 'set');
    if (qos === 'Burstable') this.#burstable.set(uid, cpuRequest(pod));
    else this.#burstable.delete(uid);
    await this.#updateBurstable();
    return path;
  }

  /** Gives the pod's group what is more, or less, than with the resources of `before`. */
  async resize(
    pod: AgentPod,
    before: AgentPod,
    resource: 'memory' | 'cpu',
    direction: 'grow' | 'shrink',
  ): Promise<void> {
    await this.start();
    const { node } = this.#options;
    const path = this.#naming.path(podName(this.#pods, podQosClass(pod), pod.metadata.uid));
    const [from, to] = [podCgroupLimits(before, node), podCgroupLimits(pod, node)];
    for (const limits of resizeSteps(from, to, resource, direction)) {
      await this.#slices?.adjust(path, limits);
      await this.#tree.enforce(path, limits);
    }
  }

  /**
   * Sets the Burstable class's part of the CPU from all pods that hold their resources, which is right also after
   * a restart of the agent, when no `ensure` has come yet. Call it with every change of that set or once a minute.
   */
  async syncQos(activePods: Iterable<AgentPod>): Promise<void> {
    await this.start();
    this.#burstable.clear();
    for (const pod of activePods) {
      if (podQosClass(pod) === 'Burstable') this.#burstable.set(pod.metadata.uid, cpuRequest(pod));
    }
    this.#burstableShares = undefined;
    await this.#updateBurstable();
  }

  /** One write at a time, each with the sum of its own moment, so that the latest sum is what stays. */
  #updateBurstable(): Promise<void> {
    const write = async (): Promise<void> => {
      const shares = burstableShares(this.#burstable.values());
      if (shares === this.#burstableShares) return;
      const path = this.#naming.path(qosName(this.#pods, 'Burstable'));
      await this.#slices?.adjust(path, { cpuShares: shares });
      await this.#tree.adjust(path, { cpuShares: shares });
      this.#burstableShares = shares;
    };
    const turn = this.#lastUpdate.then(write);
    this.#lastUpdate = turn.catch(() => undefined);
    return turn;
  }

  /**
   * Kills what runs in groups directly below the pod's that carry the ID of a container or sandbox (runtimes name
   * them so, whatever the driver) for which `isLive` is false. Doesn't wait for its end.
   */
  async killStrays(uid: string, isLive: (id: string) => boolean): Promise<void> {
    const path = await this.find(uid);
    if (path === undefined) return;
    for (const child of await this.#tree.children(path)) {
      const id = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/.exec(child)?.[0];
      if (id === undefined || isLive(id)) continue;
      const killed = await killIn(this.#files, this.#tree.folders(join(path, child)));
      if (killed > 0) {
        this.#options.logger.warn(
          { uid, cgroup: child, processes: killed },
          'killed what ran in a pod without the runtime knowing it',
        );
      }
    }
  }

  /** The processes of one container of the pod. */
  async processes(uid: string, containerId: string): Promise<Set<number>> {
    const path = await this.find(uid);
    if (path === undefined || containerId === '') return new Set();
    const child = [...(await this.#tree.children(path))].find((name) => name.includes(containerId));
    if (child === undefined) return new Set();
    return processesIn(this.#files, this.#tree.folders(join(path, child)));
  }

  /** Kills what is left in the pod's group, whatever its class, and removes it. Idempotent. */
  async remove(uid: string): Promise<void> {
    const { clock, logger, removeTimeoutMs: timeoutMs = 10_000 } = this.#options;
    const paths = QOS_CLASSES.map((qos) => this.#naming.path(podName(this.#pods, qos, uid)));
    for (const path of paths) {
      if (!(await this.#tree.exists(path))) continue;
      await this.#slices?.stop(path).catch((error: unknown) => {
        logger.warn({ err: error, cgroup: path }, 'systemd could not stop a slice');
      });
      const folders = this.#tree.folders(path);
      await removeGroups(folders, { files: this.#files, clock, logger, timeoutMs });
    }
    if (this.#burstable.delete(uid)) await this.#updateBurstable();
  }

  /**
   * Removes the groups of all pods with whatever runs in them, and what of the groups above them holds nothing else.
   * For the end of standalone mode: under a kubelet's own groups, others may stay.
   */
  async removeAll(): Promise<void> {
    const { clock, logger, removeTimeoutMs: timeoutMs = 10_000 } = this.#options;
    for (const uid of await this.list()) await this.remove(uid);
    const folders = this.#tree.folders(this.rootPath);
    await removeGroups(folders, { files: this.#files, clock, logger, timeoutMs });
    for (const folder of folders) {
      const depth = this.rootPath.split('/').filter(Boolean).length;
      let above = dirname(folder);
      for (let level = 1; level < depth; level++, above = dirname(above)) {
        if ((await this.#files.removeDir(above)) !== 'removed') break;
      }
    }
    this.#started = undefined;
  }

  /** UIDs of the pods that have a group in any class and any hierarchy: what orphan cleanup compares. */
  async list(): Promise<Set<string>> {
    const uids = new Set<string>();
    for (const qos of QOS_CLASSES) {
      const children = await this.#tree.children(this.#naming.path(qosName(this.#pods, qos)));
      for (const child of children) {
        const uid = this.#naming.podUid(child);
        if (uid !== undefined) uids.add(uid);
      }
    }
    return uids;
  }

  /** The path below each hierarchy's mount point of a pod's group, or undefined where there is none. */
  async find(uid: string): Promise<string | undefined> {
    for (const qos of QOS_CLASSES) {
      const path = this.#naming.path(podName(this.#pods, qos, uid));
      if (await this.#tree.exists(path)) return path;
    }
    return undefined;
  }

  /** What the pod uses now, all its containers together, or undefined where it has no group. */
  async usage(uid: string): Promise<CgroupUsage | undefined> {
    const path = await this.find(uid);
    return path === undefined ? undefined : readUsage(this.#files, this.#options.layout, path);
  }

  /** `kubepods` as a path below each hierarchy's mount point. */
  get rootPath(): string {
    return this.#naming.path(this.#pods);
  }
}

const cpuRequest = (pod: AgentPod): number => amountOf(podRequests(pod), 'cpu').milliValue();

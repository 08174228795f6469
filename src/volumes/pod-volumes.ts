/** The life cycle of all volumes of a pod. */
import { join } from 'node:path';
import { listDir } from '#host/files.ts';
import { mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import { removeEmptyTree, removeTree } from '#host/trees.ts';
import type { Blockage } from '#host/trees.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { AgentPod, Container, Volume } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { safeSegment } from '#lib/path-segment.ts';
import { VolumeError } from './errors.ts';
import type { HostVolume, VolumePlugin } from './plugin.ts';
import { refusalOf } from './refused-kinds.ts';

export interface PodVolumeManagerOptions {
  /** The agent's root folder, `/var/lib/kubelet`. */
  root: string;
  plugins: readonly VolumePlugin[];
  clock: Clock;
  logger: Logger;
}

/** A mount stays busy for a moment after the last process that used it. */
const UNMOUNT_ROUNDS = 6;
const FIRST_PAUSE_MS = 20;

/** Implements the pod worker's PodVolumes. Calls for one pod must not overlap. */
export class PodVolumeManager {
  readonly #root: string;
  readonly #plugins: readonly VolumePlugin[];
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: PodVolumeManagerOptions) {
    this.#root = options.root;
    this.#plugins = options.plugins;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** The volumes that a container mounts, by name; others are not set up, as upstream. */
  async setUp(pod: AgentPod, signal: AbortSignal): Promise<ReadonlyMap<string, HostVolume>> {
    const volumes = new Map((pod.spec.volumes ?? []).map((volume) => [volume.name, volume]));
    const ready = new Map<string, HostVolume>();
    for (const name of mountedNames(pod)) {
      signal.throwIfAborted();
      const volume = volumes.get(name);
      if (volume === undefined) {
        throw new VolumeError(name, 'a container mounts it, but spec.volumes has no volume of that name', {
          retryable: false,
        });
      }
      ready.set(name, await this.#setUpOne(pod, volume, signal));
    }
    return ready;
  }

  /**
   * Renews what has changed in the volumes whose content can change while the pod runs. Tries all; rejects with the
   * VolumeError of the first that couldn't be renewed, which keeps what it holds.
   */
  async refresh(pod: AgentPod, signal: AbortSignal): Promise<void> {
    const names = mountedNames(pod);
    let failure: unknown;
    for (const volume of pod.spec.volumes ?? []) {
      const plugin = this.#pluginOf(volume);
      if (!names.has(volume.name) || plugin.refreshes !== true) continue;
      if (plugin.isDue?.(pod.metadata.uid, volume) === false) continue;
      signal.throwIfAborted();
      try {
        await this.#setUpOne(pod, volume, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure as Error;
  }

  async #setUpOne(pod: AgentPod, volume: Volume, signal: AbortSignal): Promise<HostVolume> {
    const plugin = this.#pluginOf(volume);
    const { uid } = pod.metadata;
    const at = (folder: string): string =>
      join(
        this.#podFolder(uid),
        folder,
        plugin.directory ?? plugin.kind,
        safeSegment(volume.name, 'volume name'),
      );
    try {
      return await plugin.setUp({
        pod,
        volume,
        folder: at('volumes'),
        metaFolder: at('plugins'),
        podFolder: this.#podFolder(uid),
        signal,
      });
    } catch (cause) {
      if (cause instanceof VolumeError || signal.aborted) throw cause;
      throw new VolumeError(volume.name, `${plugin.kind}: ${describeError(cause)}`, { cause });
    }
  }

  #pluginOf(volume: Volume): VolumePlugin {
    const sources = Object.entries(volume).flatMap(([key, source]) =>
      key === 'name' || source === undefined || source === null ? [] : [key],
    );
    // A volume without any source is an emptyDir, as the API server's defaults have it.
    const kind = sources[0] ?? 'emptyDir';
    const plugin = this.#plugins.find((each) => each.kind === kind);
    if (sources.length > 1) {
      throw new VolumeError(volume.name, `has more than one source: ${sources.join(', ')}`, {
        retryable: false,
      });
    }
    if (plugin === undefined) {
      const served = this.#plugins.map((each) => each.kind).filter((each) => refusalOf(each) === undefined);
      const known = served.join(', ');
      throw new VolumeError(volume.name, `kind ${kind} is not supported here; supported are ${known}`, {
        retryable: false,
      });
    }
    return plugin;
  }

  #podFolder(uid: string): string {
    return join(this.#root, 'pods', safeSegment(uid, 'pod UID'));
  }

  /**
   * Takes down whatever volumes the pod's folder holds, going by the mount table and the disk alone: the pod's
   * spec need not be known any more. Idempotent. Rejects with a VolumeError that names the path in the way.
   */
  async tearDown(uid: string, signal: AbortSignal): Promise<void> {
    const pod = this.#podFolder(uid);
    const folders = ['volumes', 'volume-subpaths', 'volumeDevices', 'plugins'].map((name) => join(pod, name));
    for (const plugin of this.#plugins) await plugin.beforeTearDown?.({ uid, folder: pod, signal });
    await this.#unmountBelow(folders, signal);
    const [volumes = '', subPaths = '', devices = '', plugins = ''] = folders;

    const blocked: Blockage[] = [];
    for (const entry of (await listDir(volumes)) ?? []) {
      const owned = this.#plugins.some(
        ({ directory, ownsContents }) => ownsContents && directory === entry.name,
      );
      const remove = owned ? removeTree : removeEmptyTree;
      blocked.push(...(await remove(join(volumes, entry.name), signal)));
    }
    blocked.push(...(await removeEmptyTree(volumes, signal)));
    blocked.push(...(await removeEmptyTree(subPaths, signal)));
    blocked.push(...(await removeEmptyTree(devices, signal)));
    // The markers go last: without them a volume that is still there would be taken for half-made.
    if (blocked.length === 0) blocked.push(...(await removeTree(plugins, signal)));

    const first = blocked[0];
    if (first !== undefined) {
      this.#logger.warn({ uid, blocked }, 'a pod’s volumes can’t be removed');
      throw new VolumeError(volumeOf(first.path), `${first.path} can't be removed: ${wordsFor(first.code)}`);
    }
    for (const plugin of this.#plugins) plugin.afterTearDown?.(uid);
  }

  /** Unmounts in rounds, because what is in the way may only just be ending. */
  async #unmountBelow(folders: readonly string[], signal: AbortSignal): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    for (let round = 1; ; round++) {
      const table = await readMounts();
      const mounts = folders.flatMap((folder) => mountsBelow(table, folder));
      if (mounts.length === 0) return;
      let progress = false;
      let failure: { path: string; cause: unknown } | undefined;
      for (const { mountPoint } of mounts) {
        signal.throwIfAborted();
        try {
          if (await unmount(mountPoint, { signal })) progress = true;
        } catch (cause) {
          if (signal.aborted) throw cause;
          failure ??= { path: mountPoint, cause };
        }
      }
      if (progress) continue;
      if (round >= UNMOUNT_ROUNDS) {
        const path = failure?.path ?? mounts[0]?.mountPoint ?? '';
        throw new VolumeError(volumeOf(path), `${path} can't be unmounted`, { cause: failure?.cause });
      }
      await sleep(this.#clock, pause, signal);
      pause *= 2;
    }
  }

  /** UIDs of the pods that have a folder on disk: what orphan cleanup compares. */
  async list(): Promise<string[]> {
    const entries = await listDir(join(this.#root, 'pods'));
    return (entries ?? []).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }
}

/** Names of the volumes that any of the pod's containers mounts, in the order of first use. */
function mountedNames(pod: AgentPod): Set<string> {
  const { containers, initContainers, ephemeralContainers } = pod.spec;
  const all: Pick<Container, 'volumeMounts' | 'volumeDevices'>[] = [
    ...(initContainers ?? []),
    ...containers,
    ...(ephemeralContainers ?? []),
  ];
  return new Set(
    all.flatMap(({ volumeMounts, volumeDevices }) =>
      [...(volumeMounts ?? []), ...(volumeDevices ?? [])].map(({ name }) => name),
    ),
  );
}

/** The volume that a path below `pods/UID/volumes/KIND` or `pods/UID/volume-subpaths` belongs to, for messages. */
function volumeOf(path: string): string {
  return (
    /\/(?:volumes|volumeDevices|plugins)\/[^/]+\/([^/]+)|\/volume-subpaths\/([^/]+)/
      .exec(path)
      ?.slice(1)
      .find(Boolean) ?? path
  );
}

function wordsFor(code: string): string {
  if (code === 'EBUSY') return 'something is mounted on it, or uses it';
  if (code === 'EPERM') return 'it is immutable (see lsattr)';
  if (code === 'ENOTEMPTY')
    return 'it is not empty, and its kind says that the contents may belong to somebody else';
  return code;
}

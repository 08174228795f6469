/** What is left of memory, disks and processes on this machine: a handful of small reads. */
import { join } from 'node:path';
import { mountsOf } from '#cgroups/layout.ts';
import type { CgroupLayout } from '#cgroups/layout.ts';
import type { ImageService } from '#cri/runtime.ts';
import { readText } from '#host/files.ts';
import { freeSpace } from '#host/free-space.ts';
import { readMaxPids, readMeminfo, readTaskCount } from '#host/machine-facts.ts';
import type { Clock } from '#lib/clock.ts';
import type { SignalObservation, SignalObservations } from './pressure.ts';
import type { EvictionSignal } from './thresholds.ts';

export interface SignalReaderOptions {
  /** The agent's folder: `nodefs` is the filesystem that holds it. */
  rootDir: string;
  layout: CgroupLayout;
  images: Pick<ImageService, 'imageFsInfo'>;
  clock: Clock;
}

/** Where the images are doesn't change while the runtime lives. */
const IMAGE_FS_AGE_MS = 60_000;
const CALL_MS = 2000;

/**
 * Bytes that could be had without swapping: what isn't in the working set. `v1` is the text of the root group's
 * memory.stat and memory.usage_in_bytes; v2's root group has no such files and the kernel's totals stand in for them.
 */
export function availableMemory(
  meminfo: ReadonlyMap<string, number>,
  v1?: { usage: string; stat: string },
): SignalObservation | undefined {
  const capacity = meminfo.get('MemTotal');
  if (capacity === undefined) return undefined;
  const inactiveFile =
    v1 === undefined
      ? (meminfo.get('Inactive(file)') ?? 0)
      : Number(/^total_inactive_file (\d+)$/m.exec(v1.stat)?.[1] ?? 0);
  const usage = v1 === undefined ? capacity - (meminfo.get('MemFree') ?? 0) : Number(v1.usage.trim());
  const workingSet = Math.max(0, usage - inactiveFile);
  return { capacity, available: Math.max(0, capacity - workingSet) };
}

export class SignalReader {
  readonly #options: SignalReaderOptions;
  #imageFs: { path: string; at: number } | undefined;

  constructor(options: SignalReaderOptions) {
    this.#options = options;
  }

  /** Leaves out what can't be read. */
  async observe(): Promise<SignalObservations> {
    const observations = new Map<EvictionSignal, SignalObservation>();
    const parts = [this.#memory(), this.#disk('nodefs', this.#options.rootDir), this.#images(), this.#pids()];
    for (const part of await Promise.allSettled(parts)) {
      if (part.status === 'fulfilled')
        for (const [signal, seen] of part.value) observations.set(signal, seen);
    }
    return observations;
  }

  async #memory(): Promise<[EvictionSignal, SignalObservation][]> {
    const { layout } = this.#options;
    const mount = mountsOf(layout).find(({ controllers }) => controllers.includes('memory'));
    const meminfo = await readMeminfo();
    let seen: SignalObservation | undefined;
    if (layout.version === 1 && mount !== undefined) {
      const [usage, stat] = await Promise.all(
        ['memory.usage_in_bytes', 'memory.stat'].map((file) => readText(join(mount.mountPoint, file))),
      );
      if (usage !== undefined && stat !== undefined) seen = availableMemory(meminfo, { usage, stat });
    }
    seen ??= availableMemory(meminfo);
    return seen === undefined ? [] : [['memory.available', seen]];
  }

  async #disk(name: 'nodefs' | 'imagefs', path: string): Promise<[EvictionSignal, SignalObservation][]> {
    const space = await freeSpace(path);
    const bytes: SignalObservation = { available: space.freeBytes, capacity: space.totalBytes };
    const inodes: SignalObservation = { available: space.freeInodes, capacity: space.totalInodes };
    return [[`${name}.available`, bytes], ...(space.totalInodes > 0 ? [inodesOf(name, inodes)] : [])];
  }

  async #images(): Promise<[EvictionSignal, SignalObservation][]> {
    const path = await this.#imageFsPath();
    return path === undefined ? [] : this.#disk('imagefs', path);
  }

  async #imageFsPath(): Promise<string | undefined> {
    const now = this.#options.clock.monotonic();
    if (this.#imageFs !== undefined && now - this.#imageFs.at < IMAGE_FS_AGE_MS) return this.#imageFs.path;
    try {
      const [first] = await this.#options.images.imageFsInfo({ deadlineMs: CALL_MS });
      if (first !== undefined && first.mountpoint !== '') this.#imageFs = { path: first.mountpoint, at: now };
    } catch {
      // Where it was is where it is: the runtime's silence is told of elsewhere.
    }
    return this.#imageFs?.path;
  }

  async #pids(): Promise<[EvictionSignal, SignalObservation][]> {
    const [maxPids, tasks] = await Promise.all([readMaxPids(), readTaskCount()]);
    if (maxPids === undefined || tasks === undefined) return [];
    return [['pid.available', { available: maxPids - tasks, capacity: maxPids }]];
  }
}

const inodesOf = (
  name: 'nodefs' | 'imagefs',
  seen: SignalObservation,
): [EvictionSignal, SignalObservation] => [`${name}.inodesFree`, seen];

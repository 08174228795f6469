import { randomInt } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type DirContent, writeAtomicDir } from '#host/atomic-dir.ts';
import { ensureDir, readText, statOf, writeAtomic } from '#host/files.ts';
import { makeFolder, setFolderMode } from '#host/volume-files.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError, isRetryable } from '#lib/errors.ts';
import { isMissingReference } from '#lib/kube/referenced.ts';
import { Quantity } from '#lib/kube/quantity.ts';
import { VolumeError } from './errors.ts';
import { type MemoryOptions, isTmpfs, mountMemory } from './memory-folder.ts';
import { nestedMountPoints } from './nested-mounts.ts';
import type { HostVolume, VolumePlugin, VolumeRequest } from './plugin.ts';

export interface ContentVolumeOptions extends MemoryOptions {
  clock: Clock;
}

/** What tells the kinds of volume apart that hold files of the agent's making. */
export interface ContentKind {
  kind: string;
  directory: string;
  /** Whether the files must never reach a disk. */
  inMemory: boolean;
  /** The files that the volume is to hold now. */
  collect(request: VolumeRequest): DirContent | Promise<DirContent>;
}

/**
 * A volume of files that the agent writes and containers only read. `setUp` renews it: a file's change is seen whole or
 * not at all, and while its content can't be had, what is there stays.
 */
export class ContentVolume implements VolumePlugin {
  readonly kind: string;
  readonly directory: string;
  readonly ownsContents = true;
  readonly refreshes = true;
  readonly #kind: ContentKind;
  readonly #options: ContentVolumeOptions;

  constructor(kind: ContentKind, options: ContentVolumeOptions) {
    this.kind = kind.kind;
    this.directory = kind.directory;
    this.#kind = kind;
    this.#options = options;
  }

  async setUp(request: VolumeRequest): Promise<HostVolume> {
    const { pod, volume, folder, signal } = request;
    const content = await this.#collect(request);
    await this.#prepare(request);
    for (const path of nestedMountPoints(pod, volume.name)) await makeFolder(join(folder, path), 0o755);
    signal.throwIfAborted();
    await writeAtomicDir(folder, content, {
      now: this.#options.clock.now(),
      suffix: () => String(randomInt(1e9, 1e10)),
      group: pod.spec.securityContext?.fsGroup,
    });
    return { hostPath: folder, readOnly: true, selinuxRelabel: true };
  }

  async #collect(request: VolumeRequest): Promise<DirContent> {
    try {
      return await this.#kind.collect(request);
    } catch (cause) {
      if (request.signal.aborted) throw cause;
      const retryable = isMissingReference(cause) || isRetryable(cause);
      throw new VolumeError(request.volume.name, describeError(cause), { cause, retryable });
    }
  }

  /** The folder, in memory where it must be, with the mark by which upstream knows that it is ready. */
  async #prepare(request: VolumeRequest): Promise<void> {
    const { folder, volume, metaFolder } = request;
    const { inMemory } = this.#kind;
    const marks = join(dirname(dirname(metaFolder)), 'kubernetes.io~empty-dir', `wrapped_${volume.name}`);
    const isMarked = (await readText(join(marks, 'ready'))) !== undefined;
    if (isMarked && (await (inMemory ? isTmpfs(folder) : isFolder(folder)))) return;
    await makeFolder(folder, 0o777, 0o750);
    // A tmpfs that an agent mounted before it was killed is kept: a second one would hide it.
    const isMounted = inMemory && (await isTmpfs(folder));
    if (!isMounted) await setFolderMode(folder, { mode: 0o777 });
    if (inMemory && !isMounted) {
      await mountMemory({ ...request, name: volume.name }, this.#options, Quantity.zero);
    }
    await ensureDir(marks, 0o750);
    await writeAtomic(join(marks, 'ready'), '');
  }
}

const isFolder = async (path: string): Promise<boolean> => (await statOf(path))?.isDirectory() === true;

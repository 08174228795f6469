import { join } from 'node:path';
import { listDir, replaceLink } from '#host/files.ts';
import { formatAndMount } from '#host/file-systems.ts';
import { bindMount, mountAt, readMounts, unmount } from '#host/mounts.ts';
import { removeEmptyTree } from '#host/trees.ts';
import { kindAt, makeFolder } from '#host/volume-files.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { KeyedQueue } from '#lib/keyed-queue.ts';
import type { Logger } from '#lib/logger.ts';
import { safeSegment } from '#lib/path-segment.ts';
import { VolumeError } from '../errors.ts';
import type { FsGroupOptions } from '../fs-group.ts';
import { removeDeviceLinks } from '../device-links.ts';
import type { HostVolume, PodFolder } from '../plugin.ts';
import { usersOnDisk } from '../users-on-disk.ts';
import { mountOnce } from './mounted.ts';
import type { PersistentKind, PersistentRequest } from './source.ts';

export interface LocalKindOptions extends FsGroupOptions {
  root: string;
  clock: Clock;
  logger: Logger;
}

const DIRECTORY = 'kubernetes.io~local-volume';
const RETRY_MS = 30_000;

/**
 * A folder of this node, or a device of it with a file system or raw. A device is mounted once for all pods (upstream's
 * `ROOT/plugins/kubernetes.io/local-volume/mounts/NAME`), and unmounted after the last of them.
 */
export class LocalKind implements PersistentKind {
  readonly kind = 'local';
  readonly directory = DIRECTORY;
  readonly #options: LocalKindOptions;
  /** By PersistentVolume: set up in turn, and looked at after each pod's end. */
  readonly #devices: KeyedQueue;

  constructor(options: LocalKindOptions) {
    this.#options = options;
    this.#devices = new KeyedQueue(options.clock, (name) => this.#release(name));
  }

  async setUp(request: PersistentRequest): Promise<HostVolume> {
    const { bound, volume } = request;
    const { local } = bound.spec;
    const path = local?.path ?? '';
    const refuse = (problem: string): VolumeError =>
      new VolumeError(volume.name, `local ${path}: ${problem}`);
    if (!path.startsWith('/') || path.split('/').includes('..'))
      throw refuse('the path must be absolute and without ".."');
    const found = await kindAt(path);
    if (bound.spec.volumeMode === 'Block') {
      if (found !== 'block device') throw refuse(`must be a block device, but ${wordsFor(found)}`);
      return this.#device(request, path);
    }
    if (found !== 'directory' && found !== 'block device')
      throw refuse(`must be a folder or a block device, but ${wordsFor(found)}`);
    await this.#devices.exclusively(bound.name, () => this.#mount(request, path, found === 'block device'));
    return { hostPath: request.folder, readOnly: request.readOnly, selinuxRelabel: true };
  }

  async #mount(request: PersistentRequest, path: string, isDevice: boolean): Promise<void> {
    const { folder, bound, readOnly, signal } = request;
    const { mountOptions = [] } = bound.spec;
    const source = isDevice ? this.#globalPath(bound.name) : path;
    await mountOnce(
      request,
      async () => {
        if (isDevice) await this.#mountDevice(request, path, source);
        const options = [...(readOnly ? ['ro'] : []), ...(isDevice ? [] : mountOptions)];
        await bindMount(source, folder, { signal, options });
      },
      this.#options,
    );
  }

  async #mountDevice(
    { bound, volume, signal }: PersistentRequest,
    device: string,
    target: string,
  ): Promise<void> {
    if (mountAt(await readMounts(), target) !== undefined) return;
    const type = bound.spec.local?.fsType ?? 'ext4';
    if (!/^[a-z0-9_]+$/.test(type))
      throw new VolumeError(volume.name, `local.fsType ${JSON.stringify(type)} is no file system's name`);
    await makeFolder(target, 0o750, 0o750);
    await formatAndMount({ device, target, type, options: bound.spec.mountOptions ?? [] }, { signal });
  }

  async #device({ podFolder, bound, readOnly }: PersistentRequest, path: string): Promise<HostVolume> {
    // Upstream's place for it: by this link the volume is known to be in use.
    const folder = join(podFolder, 'volumeDevices', DIRECTORY);
    await makeFolder(folder, 0o750, 0o750);
    await replaceLink(path, join(folder, safeSegment(bound.name, 'PersistentVolume')));
    return { hostPath: path, readOnly, selinuxRelabel: false, isDevice: true };
  }

  #globalPath(name: string): string {
    const segment = safeSegment(name, 'PersistentVolume');
    return join(this.#options.root, 'plugins/kubernetes.io/local-volume/mounts', segment);
  }

  beforeTearDown({ folder }: PodFolder): Promise<void> {
    return removeDeviceLinks(join(folder, 'volumeDevices', DIRECTORY));
  }

  afterTearDown(): void {
    void this.#sweep();
  }

  /** Looks at every device that is mounted: which pod used which is for the disk to say. */
  async #sweep(): Promise<void> {
    const folder = join(this.#options.root, 'plugins/kubernetes.io/local-volume/mounts');
    for (const { name } of (await listDir(folder).catch(() => [])) ?? []) this.#devices.add(name);
  }

  async #release(name: string): Promise<void> {
    const target = this.#globalPath(name);
    const signal = AbortSignal.timeout(RETRY_MS);
    try {
      if ((await usersOnDisk(this.#options.root, DIRECTORY, name)).length > 0) return;
      while (mountAt(await readMounts(), target) !== undefined) await unmount(target, { signal });
      await removeEmptyTree(target, signal);
    } catch (error) {
      this.#options.logger.warn({ err: error, target }, `a device is still mounted: ${describeError(error)}`);
      this.#devices.add(name, RETRY_MS);
    }
  }
}

const wordsFor = (found: string | undefined): string =>
  found === undefined ? 'nothing is there' : `is a ${found}`;

import { release } from 'node:os';
import { join } from 'node:path';
import { ensureDir, readText, statOf, writeAtomic } from '#host/files.ts';
import { makeFolder, setFolderMode } from '#host/volume-files.ts';
import { Quantity, parseQuantityField } from '#lib/kube/quantity.ts';
import { VolumeError } from './errors.ts';
import { type MemoryOptions, isTmpfs, mountMemory } from './memory-folder.ts';
import type { HostVolume, VolumePlugin, VolumeRequest } from './plugin.ts';

const GROUP_ACCESS = 0o2770;

/** A scratch folder that lives as long as the pod, on disk or (`medium: Memory`) in a tmpfs. */
export class EmptyDirPlugin implements VolumePlugin {
  readonly kind = 'emptyDir';
  readonly directory = 'kubernetes.io~empty-dir';
  readonly ownsContents = true;
  readonly #options: MemoryOptions;

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  async setUp(request: VolumeRequest): Promise<HostVolume> {
    const { pod, volume, folder } = request;
    const ready: HostVolume = { hostPath: folder, readOnly: false, selinuxRelabel: true };
    const medium = volume.emptyDir?.medium ?? '';
    if (medium !== '' && medium !== 'Memory') {
      const why = medium.startsWith('HugePages') ? 'is not supported yet' : 'does not exist';
      throw new VolumeError(
        volume.name,
        `emptyDir medium ${JSON.stringify(medium)} ${why}; use "" or "Memory"`,
        {
          retryable: false,
        },
      );
    }
    const inMemory = medium === 'Memory';
    if (await this.#isReady(request, inMemory)) return ready;

    await makeFolder(folder, 0o777, 0o750);
    // A tmpfs mounted before the agent was killed is kept: nothing has used it yet, and a second would hide it.
    const mounted = inMemory && (await isTmpfs(folder));
    if (!mounted) await setFolderMode(folder, { mode: 0o777 });
    if (inMemory && !mounted) {
      const limit = volume.emptyDir?.sizeLimit;
      const field = `volume ${volume.name}: emptyDir.sizeLimit`;
      const size = limit === undefined ? Quantity.zero : parseQuantityField(limit, field);
      await mountMemory({ ...request, name: volume.name }, this.#options, size);
    }
    const group = pod.spec.securityContext?.fsGroup;
    if (group !== undefined) await setFolderMode(folder, { group, addMode: GROUP_ACCESS });

    await ensureDir(request.metaFolder, 0o750);
    await writeAtomic(join(request.metaFolder, 'ready'), '');
    return ready;
  }

  /**
   * Whether an earlier call came to its end: upstream's marker says so. From then on the folder is the pod's and
   * its mode and owner are left alone, whatever the pod has made of them.
   */
  async #isReady({ folder, metaFolder }: VolumeRequest, inMemory: boolean): Promise<boolean> {
    if ((await readText(join(metaFolder, 'ready'))) === undefined) return false;
    if (inMemory) return isTmpfs(folder);
    return (await statOf(folder))?.isDirectory() === true;
  }
}

/** tmpfs has `noswap` since Linux 6.4, but not in a user namespace, where root isn't the machine's. */
export async function tmpfsKnowsNoswap(kernelRelease = release()): Promise<boolean> {
  const [major = 0, minor = 0] = kernelRelease.split(/[.-]/).map(Number);
  if (major < 6 || (major === 6 && minor < 4)) return false;
  const map = (await readText('/proc/self/uid_map'))?.trim().split(/\s+/);
  return map === undefined || map.join(' ') === '0 0 4294967295';
}

/** Folders in memory: emptyDir's `medium: Memory`, and whatever must never reach a disk. */
import { podCgroupLimits } from '#cgroups/pod-limits.ts';
import { mountAt, mountTmpfs, readMounts } from '#host/mounts.ts';
import type { Quantity } from '#lib/kube/quantity.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { VolumeError } from './errors.ts';

export interface MemoryOptions {
  /** Memory that pods may use on this node, in bytes: the largest a memory volume can be. */
  allocatableMemoryBytes: () => number;
  /** Whether tmpfs knows `noswap` here; `tmpfsKnowsNoswap` finds out. */
  noswap: boolean;
}

export const isTmpfs = async (folder: string): Promise<boolean> =>
  mountAt(await readMounts(), folder)?.type === 'tmpfs';

/** Mounts a tmpfs on the folder, as large as `sizeLimit`, the pod's memory limit and the node allow. */
export async function mountMemory(
  { pod, name, folder, signal }: { pod: AgentPod; name: string; folder: string; signal: AbortSignal },
  { allocatableMemoryBytes, noswap }: MemoryOptions,
  sizeLimit: Quantity,
): Promise<void> {
  const options: string[] = [];
  const podLimit =
    podCgroupLimits(pod, { cpuCfsQuota: false, cpuCfsQuotaPeriodUs: 100_000 }).memoryBytes ?? 0;
  const bounds = [allocatableMemoryBytes(), podLimit, sizeLimit.value()].filter((bytes) => bytes > 0);
  if (bounds.length > 0) options.push(`size=${Math.floor(Math.min(...bounds))}`);
  if (noswap) options.push('noswap');
  try {
    await mountTmpfs(folder, options, { signal });
  } catch (cause) {
    throw new VolumeError(name, 'the tmpfs can’t be mounted', { cause });
  }
}

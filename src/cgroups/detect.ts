import { join } from 'node:path';
import { machineCgroupFiles } from '#host/cgroup-files.ts';
import type { CgroupFiles } from '#host/cgroup-files.ts';
import { listDir } from '#host/files.ts';
import { readMounts } from '#host/mounts.ts';
import { pageSizesOfFolder } from './hugepages.ts';
import { detectLayout, mountsOf, unifiedMountPoint } from './layout.ts';
import type { CgroupLayout } from './layout.ts';

/** The layout of this machine, as this process sees it. Rejects with CgroupError where there is none. */
export async function readCgroupLayout(files: CgroupFiles = machineCgroupFiles): Promise<CgroupLayout> {
  const mounts = await readMounts();
  const unified = unifiedMountPoint(mounts);
  const [known, controllers] = await Promise.all([
    files.read('/proc/cgroups'),
    unified === undefined ? undefined : files.read(join(unified, 'cgroup.controllers')),
  ]);
  return detectLayout(mounts, known ?? '', controllers);
}

/** The huge page sizes of this machine, as `2MB`. */
export async function readHugePageSizes(): Promise<string[]> {
  const entries = await listDir('/sys/kernel/mm/hugepages');
  return pageSizesOfFolder((entries ?? []).map(({ name }) => name));
}

/** Whether the kernel can account a container's swap apart from its memory. */
export async function hasSwapController(
  layout: CgroupLayout,
  files: CgroupFiles = machineCgroupFiles,
): Promise<boolean> {
  const memory = mountsOf(layout).find(({ controllers }) => controllers.includes('memory'));
  if (memory === undefined) return false;
  if (layout.version === 1) {
    return (await files.read(join(memory.mountPoint, 'memory.memsw.limit_in_bytes'))) !== undefined;
  }
  // The top group has no such file; the group of this process has one if any has.
  const own = /^0::(.*)$/m.exec((await files.read('/proc/self/cgroup')) ?? '')?.[1];
  const file = own === undefined ? undefined : join(memory.mountPoint, own, 'memory.swap.max');
  return file !== undefined && (await files.read(file)) !== undefined;
}

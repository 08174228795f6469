import { amountOf } from '#lib/kube/resources.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import { QuantityError, parseQuantity } from '#lib/kube/quantity.ts';

const PREFIX = 'hugepages-';
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** A page size as the hugetlb controller's files name it (`2MB`, `1GB`), or undefined if it has no such name. */
export function pageSizeName(bytes: number): string | undefined {
  let size = bytes;
  let unit = 0;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) {
    if (size % 1024 !== 0) return undefined;
    size /= 1024;
  }
  return Number.isInteger(size) && size > 0 ? `${size}${UNITS[unit]}` : undefined;
}

/** The page sizes of this machine from the names of `/sys/kernel/mm/hugepages` (`hugepages-2048kB`). */
export function pageSizesOfFolder(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const kib = /^hugepages-(\d+)kB$/.exec(name)?.[1];
    const size = kib === undefined ? undefined : pageSizeName(Number(kib) * 1024);
    return size === undefined ? [] : [size];
  });
}

/** Bytes by page size name of the `hugepages-SIZE` resources among `amounts`; sizes that don't exist are left out. */
export function hugePagesOf(amounts: ResourceAmounts): Map<string, number> {
  const pages = new Map<string, number>();
  for (const name of amounts.keys()) {
    if (!name.startsWith(PREFIX)) continue;
    const size = pageSizeOfResource(name);
    if (size !== undefined) pages.set(size, (pages.get(size) ?? 0) + amountOf(amounts, name).value());
  }
  return pages;
}

function pageSizeOfResource(name: string): string | undefined {
  try {
    return pageSizeName(parseQuantity(name.slice(PREFIX.length)).value());
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

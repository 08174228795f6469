/** The names of a container's log files: `N.log`, `N.log.YYYYMMDD-HHMMSS`, the latter also with `.gz` or `.tmp`. */

const STAMP = /^\d{8}-\d{6}$/;

export interface RotatedFile {
  name: string;
  /** `YYYYMMDD-HHMMSS`: the order of the files. */
  stamp: string;
  form: 'plain' | 'gz' | 'tmp';
}

/** The rotated files of the log `base` among a folder's names, oldest first; plain before gz of the same stamp. */
export function rotatedFiles(names: readonly string[], base: string): RotatedFile[] {
  const files: RotatedFile[] = [];
  for (const name of names) {
    if (!name.startsWith(`${base}.`)) continue;
    const rest = name.slice(base.length + 1);
    const tmp = rest.endsWith('.tmp');
    const gz = rest.endsWith('.gz');
    const stamp = rest.replace(/(\.gz)?(\.tmp)?$/, '');
    if (STAMP.test(stamp)) files.push({ name, stamp, form: tmp ? 'tmp' : gz ? 'gz' : 'plain' });
  }
  return files.sort((a, b) => (a.stamp === b.stamp ? compare(a.name, b.name) : compare(a.stamp, b.stamp)));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Local time of the node, as upstream's names carry it. */
export function stampOf(wallMs: number): string {
  const at = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`;
  return `${date}-${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`;
}

/** The stamp one second later, for when a clock went back: names must keep their order. */
function nextStamp(stamp: string): string {
  const part = (from: number, to: number): number => Number(stamp.slice(from, to));
  const at = new Date(part(0, 4), part(4, 6) - 1, part(6, 8), part(9, 11), part(11, 13), part(13, 15) + 1);
  const next = stampOf(at.getTime());
  // An hour that local time has twice or not at all.
  return next > stamp ? next : stampOf(at.getTime() + 3_600_000);
}

/** The stamp for a file rotated now: later than every one that is there. */
export function newStamp(wallMs: number, existing: readonly RotatedFile[]): string {
  const now = stampOf(wallMs);
  const newest = existing.at(-1)?.stamp;
  return newest === undefined || now > newest ? now : nextStamp(newest);
}

import type { Leaf } from './key-pair.ts';

/** `2026-01-31T12:00:00Z`. */
export const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

const DAY_MS = 24 * 3_600_000;

/** How long a certificate has, in days, negative once it has ended: for logs. */
export const daysLeft = (leaf: Leaf, now: number): number =>
  Math.round(((leaf.notAfter - now) / DAY_MS) * 10) / 10;

/** Why the times of a certificate in use and this machine's clock don't fit, if they don't. */
export function clockDoubt(leaf: Leaf, now: number): string | undefined {
  if (leaf.notBefore <= now && now < leaf.notAfter) return undefined;
  const side = now < leaf.notBefore ? 'behind' : 'ahead';
  return (
    `the certificate is valid from ${time(leaf.notBefore)} to ${time(leaf.notAfter)}, but this machine's clock says ` +
    `${time(now)}: see whether the clock is ${side}`
  );
}

import type { ManifestFinding } from './manifest-pods.ts';

/** What stays in force as it was: under the names of broken documents, and others that one of these may have been. */
export interface Kept {
  named: Set<string>;
  strays: boolean;
}

/**
 * Adds to `next` what of `current` stays because its document is broken. `isOwn` tells the keys of this kind of thing
 * from others'.
 */
export function keepBroken<T>(
  current: ReadonlyMap<string, T>,
  next: Map<string, T>,
  findings: readonly ManifestFinding[],
  isOwn: (key: string) => boolean,
): Kept {
  const blocked = new Set(findings.map((each) => each.blocks));
  // A broken document may be any of the old ones: by name where it has an old one's, else (a typing error may be in
  // the name itself) each that is not there any more.
  const anyBlocked = findings.some(
    ({ blocks, blocksUnknown }) =>
      blocksUnknown || (blocks !== undefined && isOwn(blocks) && !current.has(blocks)),
  );
  const kept: Kept = { named: new Set(), strays: false };
  for (const [key, value] of current) {
    if (next.has(key) || !(anyBlocked || blocked.has(key))) continue;
    next.set(key, value);
    if (blocked.has(key)) kept.named.add(key);
    else kept.strays = true;
  }
  return kept;
}

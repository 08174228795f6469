import { posix } from 'node:path';
import type { AgentPod, Container } from '#lib/kube/types.ts';

/**
 * Where containers mount other volumes below this one, relative to it: the runtime can't make these folders itself
 * where the volume is read-only. What is mounted below such a mount is left to that.
 */
export function nestedMountPoints({ spec }: AgentPod, volume: string): Set<string> {
  const found = new Set<string>();
  const containers: Pick<Container, 'volumeMounts'>[] = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  for (const { volumeMounts = [] } of containers) {
    const mounts = volumeMounts.map(({ name, mountPath }) => ({ name, path: clean(mountPath) }));
    for (const own of mounts.filter(({ name }) => name === volume)) {
      const below = mounts
        .filter(({ path }) => path.startsWith(own.path))
        .map(({ path }) => path)
        .filter((path) => path !== own.path);
      const outermost = below.filter(
        (path) => !below.some((other) => other !== path && path.startsWith(other)),
      );
      for (const path of outermost) found.add(path.slice(own.path.length, -1));
    }
  }
  return found;
}

/** With one slash at the end, and none of `.`, `..` and double slashes in it. */
const clean = (path: string): string => posix.join('/', path, '/');

import type { Container, PodSandbox } from '#cri/types.ts';
import { attemptOf, podUidOf } from '../pod/labels.ts';

/** Upstream's limits for dead containers. */
export interface GcPolicy {
  /** Milliseconds since its creation for which a dead container stays. */
  minAgeMs: number;
  /** Dead containers that stay for each container of a living pod; negative: no limit. */
  maxPerPodContainer: number;
  /** Dead containers that stay on the node; negative: no limit. */
  maxContainers: number;
}

export const DEFAULT_GC_POLICY: GcPolicy = { minAgeMs: 0, maxPerPodContainer: 1, maxContainers: -1 };

/** Whom the collector must leave alone. */
export interface Living {
  /** UIDs of pods that are wanted, or that a worker is still ending. */
  desired: ReadonlySet<string>;
  /** Whether a worker uses the container, the sandbox or the pod with this ID now. */
  isProtected(id: string): boolean;
}

export interface CollectableContainer {
  container: Container;
  /** Its state is unknown: it may run, and is stopped before it is removed. */
  stopFirst: boolean;
}

const newestFirst = (a: Container, b: Container): number =>
  b.createdAt - a.createdAt || attemptOf(b) - attemptOf(a);

export const isLiving = (uid: string, living: Living): boolean =>
  living.desired.has(uid) || living.isProtected(uid);

/**
 * The dead containers that may go: all those of pods that are gone; of a living pod's container all but the newest
 * (maxPerPodContainer); then the oldest of all, evenly, down to maxContainers. Oldest first.
 *
 * Dead is what doesn't run, as upstream has it, except that a created container which is its pod's newest counts
 * as alive: it is about to be started. What carries no pod's labels isn't ours.
 */
export function collectableContainers(
  containers: readonly Container[],
  living: Living,
  policy: GcPolicy,
  now: number,
): CollectableContainer[] {
  const gone: Container[] = [];
  const units: Container[][] = [];
  for (const [uid, instances] of unitsOf(containers)) {
    instances.sort(newestFirst);
    const lives = isLiving(uid, living);
    const dead = instances.filter(
      (container, index) =>
        container.state !== 'CONTAINER_RUNNING' &&
        container.createdAt <= now - policy.minAgeMs &&
        !(lives && index === 0 && container.state === 'CONTAINER_CREATED'),
    );
    if (!lives) gone.push(...dead);
    else if (dead.length > 0) units.push(dead);
  }
  if (policy.maxPerPodContainer >= 0) gone.push(...cutEach(units, policy.maxPerPodContainer));
  gone.push(...cutTotal(units, policy.maxContainers));
  return gone
    .filter(({ id, podSandboxId }) => !living.isProtected(id) && !living.isProtected(podSandboxId))
    .sort((a, b) => newestFirst(b, a))
    .map((container) => ({ container, stopFirst: container.state === 'CONTAINER_UNKNOWN' }));
}

/** The instances of each container of each pod, with the pod's UID. */
function unitsOf(containers: readonly Container[]): [uid: string, Container[]][] {
  const units = new Map<string, [string, Container[]]>();
  for (const container of containers) {
    const uid = podUidOf(container);
    if (uid === undefined) continue;
    const key = `${uid}/${container.metadata.name}`;
    const unit = units.get(key);
    if (unit === undefined) units.set(key, [uid, [container]]);
    else unit[1].push(container);
  }
  return [...units.values()];
}

/** Takes all but the `keep` newest out of each unit and returns them. */
const cutEach = (units: Container[][], keep: number): Container[] =>
  units.flatMap((unit) => unit.splice(keep));

function cutTotal(units: Container[][], max: number): Container[] {
  const total = (): number => units.reduce((sum, unit) => sum + unit.length, 0);
  if (max < 0 || total() <= max) return [];
  const cut = cutEach(units, Math.max(1, Math.floor(max / units.length)));
  const rest = units.flat().sort(newestFirst);
  return [...cut, ...rest.slice(max)];
}

/**
 * The sandboxes that may go: neither ready nor with containers, and of a living pod never the newest. Oldest first.
 * `containers` is a list made after the removal of containers.
 */
export function collectableSandboxes(
  sandboxes: readonly PodSandbox[],
  containers: readonly Container[],
  living: Living,
): PodSandbox[] {
  const inUse = new Set(containers.map(({ podSandboxId }) => podSandboxId));
  const newest = new Map<string, PodSandbox>();
  for (const sandbox of sandboxes) {
    const uid = podUidOf(sandbox);
    const other = uid === undefined ? undefined : newest.get(uid);
    if (uid !== undefined && (other === undefined || isNewer(sandbox, other))) newest.set(uid, sandbox);
  }
  return sandboxes
    .filter((sandbox) => {
      const uid = podUidOf(sandbox);
      if (uid === undefined || sandbox.state === 'SANDBOX_READY' || inUse.has(sandbox.id)) return false;
      if (living.isProtected(sandbox.id)) return false;
      return !(isLiving(uid, living) && newest.get(uid) === sandbox);
    })
    .sort((a, b) => (isNewer(a, b) ? 1 : -1));
}

const isNewer = (a: PodSandbox, b: PodSandbox): boolean =>
  a.createdAt === b.createdAt ? a.metadata.attempt > b.metadata.attempt : a.createdAt > b.createdAt;

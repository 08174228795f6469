/** Which processes of a container are those of commands that were run in it. */
import type { ProcessStat } from '#host/process-stats.ts';

/**
 * The first processes of commands that began after `sinceTicks`, among all processes of the container: each leads its
 * session and came from outside the container (from the runtime's shim). Words tell nothing: a shell becomes its last
 * command.
 */
export function execRoots(processes: readonly ProcessStat[], sinceTicks: number): ProcessStat[] {
  const inside = new Set(processes.map(({ pid }) => pid));
  return processes.filter(
    ({ pid, parent, session, startTime }) =>
      session === pid && !inside.has(parent) && Number(startTime) > sinceTicks,
  );
}

/**
 * The root with what it has started, also what has lost its parent meanwhile: that stays in the root's session. `known`
 * are those that were of the family at an earlier look.
 */
export function execFamily(
  processes: readonly ProcessStat[],
  root: ProcessStat,
  known: readonly ProcessStat[] = [root],
): ProcessStat[] {
  const ages = new Map(known.map(({ pid, startTime }) => [pid, startTime]));
  const isYounger = ({ startTime }: ProcessStat): boolean => Number(startTime) >= Number(root.startTime);
  const family = new Set(
    processes.filter(
      (each) => ages.get(each.pid) === each.startTime || (each.session === root.pid && isYounger(each)),
    ),
  );
  for (let size = -1; size !== family.size;) {
    size = family.size;
    const parents = new Set([...family].map(({ pid }) => pid));
    for (const each of processes) if (parents.has(each.parent) && isYounger(each)) family.add(each);
  }
  return [...family];
}

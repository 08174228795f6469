/** Which processes of a container are those of one command that was run in it. */
import { basename } from 'node:path';
import type { ProcessStat } from '#host/process-stats.ts';

/**
 * The first process of the command, among all processes of the container: it began after `sinceTicks`, leads its
 * session, came from outside the container (the runtime's shim), and has the command's words. Undefined where that is
 * not to be told.
 */
export function execRoot(
  processes: readonly ProcessStat[],
  command: readonly string[],
  sinceTicks: number,
): ProcessStat | undefined {
  const inside = new Set(processes.map(({ pid }) => pid));
  const found = processes.filter(
    ({ pid, parent, session, startTime, args }) =>
      session === pid && !inside.has(parent) && Number(startTime) > sinceTicks && isCommand(args, command),
  );
  return found.length === 1 ? found[0] : undefined;
}

/** A script shows its interpreter before its own words, and a program found in PATH its whole path. */
function isCommand(args: readonly string[], command: readonly string[]): boolean {
  const [program = '', ...words] = command;
  const tail = args.slice(-command.length);
  return (
    tail.length === command.length &&
    basename(tail[0] ?? '') === basename(program) &&
    words.every((word, index) => tail[index + 1] === word)
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

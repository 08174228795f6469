import { sleep } from '#lib/clock.ts';
import type { Pod } from '#lib/kube/types.ts';
import type { AgentClient } from './client.ts';
import type { CommandContext } from './context.ts';
import { write } from './io.ts';
import { matchPod } from './names.ts';
import { podHead, podRow, type TableOptions } from './print/pod-table.ts';

/** How often the agent is asked: one small request over a local socket. */
const intervalMs = 500;

export interface WatchWish {
  namespace: string;
  all: boolean;
  /** Names of pods; none: all of them. */
  words: readonly string[];
  options: TableOptions;
}

/** What of a pod makes a new line: everything but the passing of time. */
function signature(pod: Pod, options: TableOptions): string {
  const line = podRow(pod, {
    ...options,
    wide: true,
    now: Date.parse(pod.metadata?.creationTimestamp ?? ''),
  });
  const { restartCount } = pod.status?.containerStatuses?.[0] ?? { restartCount: 0 };
  return JSON.stringify([line.filter((cell) => !cell.endsWith('ago)')), restartCount, pod.metadata?.uid]);
}

/** `get pods -w`: a line for every pod now, then one whenever a pod's line changes. Runs until interrupted. */
export async function watchPods(
  { io, signal }: CommandContext,
  client: AgentClient,
  { namespace, all, words, options }: WatchWish,
): Promise<number> {
  const seen = new Map<string, string>();
  const widths = podHead(options).map((cell) => cell.length);
  const line = (cells: readonly string[]): string => {
    cells.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
    const padded = cells.map((cell, column) =>
      column === cells.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3),
    );
    return `${padded.join('')}\n`;
  };
  let first = true;
  while (!signal.aborted) {
    const views = await client.pods();
    const wanted =
      words.length === 0
        ? views.filter(({ pod }) => all || pod.metadata?.namespace === namespace)
        : words.flatMap((name) => matchPod(views, { namespace, name }) ?? []);
    const rows = wanted
      .map(({ pod }) => pod)
      .filter((pod) => {
        const key = pod.metadata?.uid ?? '';
        const now = signature(pod, options);
        const changed = seen.get(key) !== now;
        seen.set(key, now);
        return changed;
      })
      .map((pod) => podRow(pod, { ...options, now: io.clock.now() }));
    if (rows.length > 0) {
      // Widths first, so that the lines of the beginning stand under their names.
      if (first) for (const row of rows) line(row);
      const head = first ? line(podHead(options)) : '';
      first = false;
      await write(io.stdout, head + rows.map(line).join(''));
    }
    await sleepAlive(intervalMs, signal, io.clock);
  }
  return 0;
}

/** As `sleep`, but the process stays alive meanwhile, and an abort only ends the wait. */
async function sleepAlive(
  ms: number,
  signal: AbortSignal,
  clock: Parameters<typeof sleep>[0],
): Promise<void> {
  const alive = setInterval(() => undefined, ms);
  try {
    await sleep(clock, ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(alive);
  }
}

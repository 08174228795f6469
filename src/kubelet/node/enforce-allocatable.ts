import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { NodeEvents } from './node-events.ts';

const RETRY_MS = 60_000;

/**
 * Limits the group of all pods, again each minute until the kernel takes it (pods may use more than that just now), and
 * tells of it with upstream's events. Never rejects.
 */
export async function enforceNodeAllocatable(
  cgroups: { readonly rootPath: string; limitAll(): Promise<void> },
  events: NodeEvents,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await cgroups.limitAll();
      events.event('Normal', 'NodeAllocatableEnforced', 'Updated Node Allocatable limit across pods');
      return;
    } catch (error) {
      const why = `Failed to update Node Allocatable Limits "${cgroups.rootPath}": ${describeError(error)}`;
      events.event('Warning', 'FailedNodeAllocatableEnforcement', why);
      await sleep(clock, RETRY_MS, signal).catch(() => undefined);
    }
  }
}

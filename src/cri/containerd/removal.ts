/**
 * Removals that get past what containerd lost sight of. Where a call of CRI is cut off, because its caller died or a
 * deadline passed, containerd 2.x may count a container as exited whose task is there (it then refuses to remove it,
 * for ever), or forget a sandbox of which it keeps the record and the task.
 */
import type { Clock } from '#lib/clock.ts';
import { sleep } from '#lib/clock.ts';
import { runtimeStatus } from '../errors.ts';
import type { RuntimeStatusCode } from '../errors.ts';
import type { CallOptions } from '../runtime.ts';
import type { ContainerdApi } from './api.ts';

/** Between a process's end and containerd's word of it. */
const PAUSES_MS = [10, 40, 100, 300];

/** Nothing comes of asking again, now. */
const FINAL: readonly (RuntimeStatusCode | undefined)[] = [
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  undefined,
];

/** Ends what runs of the container, and the task with it; says whether there was one. */
export async function removeTask(
  api: ContainerdApi,
  id: string,
  clock: Clock,
  options: CallOptions = {},
): Promise<boolean> {
  for (const pause of [...PAUSES_MS, undefined]) {
    try {
      return await api.removeTask(id, options);
    } catch (error) {
      if (pause === undefined || FINAL.includes(runtimeStatus(error))) throw error;
      await api.killTask(id, options);
      await sleep(clock, pause, options.signal);
    }
  }
  return false;
}

/**
 * Does `remove`; where that is refused for the state of what it is about, takes away the tasks of `ids` and tries
 * once more.
 */
export async function removePastTasks(
  api: ContainerdApi,
  remove: () => Promise<void>,
  ids: () => Promise<readonly string[]>,
  clock: Clock,
  options?: CallOptions,
): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (runtimeStatus(error) !== 'FAILED_PRECONDITION') throw error;
    let removed = 0;
    try {
      for (const id of await ids()) if (await removeTask(api, id, clock, options)) removed += 1;
    } catch (inner) {
      options?.signal?.throwIfAborted();
      // The runtime's first word says more of why the removal fails than what became of the help.
      throw runtimeStatus(inner) === undefined ? inner : error;
    }
    if (removed === 0) throw error;
    await remove();
  }
}

/** Takes away what containerd kept of a sandbox that CRI says is removed. */
export async function removeLeftRecord(
  api: ContainerdApi,
  id: string,
  clock: Clock,
  options?: CallOptions,
): Promise<void> {
  try {
    if (!(await api.hasContainer(id, options))) return;
  } catch (error) {
    // Something between the agent and containerd passes CRI's calls only.
    if (runtimeStatus(error) === 'UNIMPLEMENTED') return;
    throw error;
  }
  await removeTask(api, id, clock, options);
  await api.removeContainer(id, options);
}

import { basename, dirname } from 'node:path';
import { runtimeStatus } from '#cri/errors.ts';
import type { RuntimeService } from '#cri/runtime.ts';
import type { ContainerStatus } from '#cri/types.ts';
import { removeFile } from '#host/files.ts';
import { UnsafePathError, withDir } from '#host/open-dir.ts';
import { messageFile } from '../logs/termination-message.ts';
import { rotatedFiles } from '../logs/rotated-name.ts';
import { type Paths, containerLogLink } from '../paths.ts';
import { CONTAINER_NAME_LABEL, POD_NAMESPACE_LABEL, POD_NAME_LABEL, POD_UID_LABEL } from '../pod/labels.ts';

export type RemovalRuntime = Pick<RuntimeService, 'containerStatus' | 'stopContainer' | 'removeContainer'>;

/** Upstream never gives a container less. */
const STOP_SECONDS = 2;

/**
 * Removes a dead container with what belongs to it alone: its log and the rotated ones, the link that collectors
 * follow, its termination message's file. The runtime's record goes last, so that a removal that was interrupted is
 * found again and completed.
 */
export async function removeContainer(
  runtime: RemovalRuntime,
  paths: Paths,
  id: string,
  options: { stopFirst: boolean; signal: AbortSignal },
): Promise<void> {
  const { signal } = options;
  const status = await statusOf(runtime, id, signal);
  if (status === undefined) return;
  if (options.stopFirst) await runtime.stopContainer(id, STOP_SECONDS, { signal });
  await removeLogs(paths.podLogs, status.logPath);
  const { [POD_NAME_LABEL]: name, [POD_NAMESPACE_LABEL]: namespace, [POD_UID_LABEL]: uid } = status.labels;
  const container = status.labels[CONTAINER_NAME_LABEL];
  if (name !== undefined && namespace !== undefined && uid !== undefined && container !== undefined) {
    await removeFile(containerLogLink(paths, { name, namespace, uid }, container, id));
  }
  const message = messageFile(paths, status);
  if (message !== undefined) {
    await withDir(paths.root, dirname(message), (dir) => dir.unlink(basename(message)));
  }
  await runtime.removeContainer(id, { signal });
}

async function statusOf(
  runtime: RemovalRuntime,
  id: string,
  signal: AbortSignal,
): Promise<ContainerStatus | undefined> {
  try {
    return await runtime.containerStatus(id, { signal });
  } catch (error) {
    if (runtimeStatus(error) === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Removes the log and its rotated files; what doesn't lie below the root, or only by way of a link, isn't ours. */
export async function removeLogs(root: string, logPath: string): Promise<void> {
  if (logPath === '') return;
  const base = basename(logPath);
  try {
    await withDir(root, dirname(logPath), async (dir) => {
      for (const { name } of rotatedFiles(await dir.list(), base)) await dir.unlink(name);
      await dir.unlink(base);
    });
  } catch (error) {
    if (!(error instanceof UnsafePathError)) throw error;
  }
}

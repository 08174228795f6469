/** `nodelet standalone --cleanup`: ends all pods and removes everything that standalone mode made. */
import type { StandaloneOptions } from '#config/standalone-options.ts';
import { MissingProgramsError } from '#cri/containerd/programs.ts';
import type { PrivateContainerd } from '#cri/containerd/private-containerd.ts';
import { removeEmptyDir, removeOwnTree } from '#host/files.ts';
import { mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import { removeTree } from '#host/trees.ts';
import { NodeletError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { alone, startAgent } from './agent.ts';
import { localNodeSettings } from './node-settings.ts';

/** Something of a pod could not be removed. */
class CleanUpError extends NodeletError {
  readonly code = 'CLEAN_UP';
}

/** Pods get their own grace period, but no clean-up waits longer than this for all of them. */
const PODS_MS = 120_000;

export async function cleanUp(
  options: StandaloneOptions,
  runtime: PrivateContainerd | undefined,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const endpoint = options.containerRuntimeEndpoint ?? (await startIfThere(runtime, signal));
  if (endpoint !== undefined) {
    // An agent that wants no pods: whatever there is of pods goes the usual way.
    const agent = await startAgent({
      ...alone,
      options,
      node: localNodeSettings(options),
      mode: 'standalone',
      endpoint,
      log,
      sources: () => [],
      applied: undefined,
      signal,
    });
    try {
      await agent.endAllPods(AbortSignal.any([signal, AbortSignal.timeout(PODS_MS)]));
    } finally {
      await agent.stop();
    }
  }
  await runtime?.stop(signal);
  await removeFolders(options, signal);
  log.info({}, 'everything that standalone mode made is gone');
}

/** Without containerd on this machine, no pod can run in it: then only folders are left to remove. */
async function startIfThere(
  runtime: PrivateContainerd | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await runtime?.start(signal);
  } catch (error) {
    if (error instanceof MissingProgramsError) return undefined;
    throw error;
  }
}

async function removeFolders(options: StandaloneOptions, signal: AbortSignal): Promise<void> {
  const { rootDir } = options;
  // The root is mounted on itself, to be shared; whatever else is mounted there is somebody's.
  for (const mount of mountsBelow(await readMounts(), rootDir).toReversed()) {
    if (mount.mountPoint === rootDir) await unmount(rootDir, { signal });
  }
  const stayed = await removeTree(rootDir, signal);
  if (stayed.length > 0) {
    throw new CleanUpError(`not removed: ${stayed.map(({ path, code }) => `${path} (${code})`).join(', ')}`);
  }
  await removeOwnTree(options.appliedDir);
  await removeEmptyDir(options.stateDir);
}

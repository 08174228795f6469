import { dirname, join } from 'node:path';
import { openBeneath } from '#host/beneath.ts';
import type { Beneath } from '#host/beneath.ts';
import { statOf } from '#host/files.ts';
import { bindMountFd, mountAt, readMounts, unmount } from '#host/mounts.ts';
import { removeEmptyTree } from '#host/trees.ts';
import { makeFile, makeFolder } from '#host/volume-files.ts';
import { codeOf, describeError } from '#lib/errors.ts';
import { safeSegment } from '#lib/path-segment.ts';
import { VolumeError } from './errors.ts';

export interface SubPathRequest {
  podUid: string;
  volume: string;
  /** Where the volume is, as `setUp` returned it. */
  volumePath: string;
  /** `volumeMounts[].subPath`, or `subPathExpr` with its variables filled in. */
  subPath: string;
  container: string;
  /** The mount's place in the container's `volumeMounts`. */
  index: number;
  signal: AbortSignal;
}

/**
 * Gives a container a part of a volume (upstream's layout: `ROOT/pods/UID/volume-subpaths/VOLUME/CONTAINER/INDEX`).
 * The part is found without following links out of the volume and bound by its open descriptor, so that a
 * container of the pod that exchanges folders for links at the same time gains nothing (CVE-2017-1002101,
 * CVE-2021-25741). Idempotent. PodVolumeManager.tearDown takes it down.
 *
 * @returns the path to mount into the container instead of the volume's
 */
export async function prepareSubPath(root: string, request: SubPathRequest): Promise<string> {
  const { volume, subPath, volumePath, signal } = request;
  const refuse = (problem: string, cause?: unknown): VolumeError =>
    new VolumeError(volume, `subPath ${JSON.stringify(subPath)} ${problem}`, {
      cause,
      retryable: cause !== undefined,
    });
  if (subPath.startsWith('/')) throw refuse('must be relative');
  if (subPath.split('/').includes('..')) throw refuse('must not contain ".."');

  const target = join(
    root,
    'pods',
    safeSegment(request.podUid, 'pod UID'),
    'volume-subpaths',
    safeSegment(volume, 'volume name'),
    safeSegment(request.container, 'container name'),
    String(request.index),
  );
  let source: Beneath;
  try {
    // Missing folders get the mode of the volume's own, as upstream.
    const volumeItself = await openBeneath(volumePath, '');
    await volumeItself.close();
    source = await openBeneath(volumePath, subPath, volumeItself.stats.mode & 0o7777);
  } catch (cause) {
    throw refuse(
      `can't be found in the volume: ${codeOf(cause) === 'ENOTDIR' ? 'a component is a file' : describeError(cause)}`,
      cause,
    );
  }
  try {
    if (await isBound(target, source)) return target;
    await dropMounts(target, signal);
    await removeEmptyTree(target, signal);
    await makeTarget(target, source);
    await bindMountFd(source.fd, target, { signal });
    if (await isBound(target, source)) return target;
    await dropMounts(target, signal);
    throw refuse('is not what was mounted in its place');
  } catch (cause) {
    if (cause instanceof VolumeError || signal.aborted) throw cause;
    throw refuse(`can't be mounted: ${describeError(cause)}`, cause);
  } finally {
    await source.close();
  }
}

/** Whether `target` is a mount of just this file or folder: an earlier call's, or now ours. */
async function isBound(target: string, source: Beneath): Promise<boolean> {
  if (mountAt(await readMounts(), target) === undefined) return false;
  const found = await statOf(target);
  return found?.dev === source.stats.dev && found.ino === source.stats.ino;
}

async function dropMounts(target: string, signal: AbortSignal): Promise<void> {
  while (mountAt(await readMounts(), target) !== undefined) await unmount(target, { signal });
}

/** A mount's target must be of the same kind as its source. */
async function makeTarget(target: string, source: Beneath): Promise<void> {
  if (source.stats.isDirectory()) await makeFolder(target, 0o750, 0o750);
  else {
    await makeFolder(dirname(target), 0o750, 0o750);
    await makeFile(target, 0o640);
  }
}

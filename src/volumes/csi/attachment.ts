import { type Clock, sleep } from '#lib/clock.ts';
import { NodeletError, describeError } from '#lib/errors.ts';
import { isApiForbidden, isApiNotFound } from '#lib/kube/api-error.ts';
import { type KubeClient, resources } from '#lib/kube/client.ts';
import type { Node, VolumeAttachment } from '#lib/kube/types.ts';
import { attachmentName, uniqueName } from './csi-files.ts';

/** The volume isn't attached to this node yet, or can't be. */
export class AttachmentError extends NodeletError {
  readonly code = 'ATTACHMENT';
}

export interface AttachmentSources {
  nodeName: string;
  client: Pick<KubeClient, 'get'>;
  node(): Node;
  /** The volume is about to be mounted: the node's status must say so before, or a controller may detach it. */
  reported(name: string, signal: AbortSignal): Promise<boolean>;
  clock: Clock;
}

const POLL_MS = 500;

/**
 * Waits until the attach-detach controller and the driver's attacher have attached the volume, for `patienceMs`; then
 * rejects with an AttachmentError that says what is missing, to be called again.
 *
 * @returns the publish context for the driver
 */
export async function untilAttached(
  volume: { driver: string; handle: string },
  sources: AttachmentSources,
  patienceMs: number,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const { clock, nodeName, client } = sources;
  const name = uniqueName(volume.driver, volume.handle);
  const attachment = attachmentName(volume.handle, volume.driver, nodeName);
  const end = clock.monotonic() + patienceMs;
  if (!(await sources.reported(name, signal)))
    throw new AttachmentError(
      'the node’s status, which must say that the volume is in use, can’t be written yet',
      {
        retryable: true,
      },
    );
  for (;;) {
    const missing = await look();
    if (typeof missing !== 'string') return missing;
    if (clock.monotonic() + POLL_MS > end) throw new AttachmentError(missing, { retryable: true });
    await sleep(clock, POLL_MS, signal);
  }

  async function look(): Promise<Record<string, string> | string> {
    const attached = sources.node().status?.volumesAttached ?? [];
    if (!attached.some((each) => each.name === name))
      return `volume not attached according to node status (${name}): the attach-detach controller has not said so`;
    let found: VolumeAttachment;
    try {
      found = await client.get<VolumeAttachment>(
        resources.volumeAttachments,
        { name: attachment },
        { signal },
      );
    } catch (error) {
      signal.throwIfAborted();
      if (isApiNotFound(error)) return `volumeattachment ${attachment} not found`;
      if (isApiForbidden(error)) return `volumeattachment ${attachment}: ${describeError(error)}`;
      throw error;
    }
    const { status, metadata } = found;
    if (metadata?.deletionTimestamp !== undefined)
      throw new AttachmentError('volume attachment is being deleted', { retryable: true });
    if (status?.attached === true) return status.attachmentMetadata ?? {};
    const trouble = status?.attachError?.message;
    if (trouble !== undefined) throw new AttachmentError(trouble, { retryable: true });
    return `volumeattachment ${attachment} is not attached yet: the driver's attacher has not said so`;
  }
}

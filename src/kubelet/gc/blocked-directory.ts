import { NodeletError } from '#lib/errors.ts';
import type { BlockedPod } from './pods.ts';

/** A pod's folder that can't be removed because something is mounted, kept or busy in it. */
export class BlockedDirectoryError extends NodeletError {
  readonly code = 'BLOCKED_DIRECTORY';

  constructor(blocked: BlockedPod) {
    super(blocked.message, { retryable: true });
  }
}

import { NodeletError } from '#lib/errors.ts';

/** A pod's volume can't be made ready or taken down; the message names it and what to mend. */
export class VolumeError extends NodeletError {
  readonly code = 'VOLUME';
  readonly volume: string;

  constructor(volume: string, problem: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(`volume ${JSON.stringify(volume)}: ${problem}`, { retryable: true, ...options });
    this.volume = volume;
  }
}

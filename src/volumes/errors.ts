import { NodeletError, describeError } from '#lib/errors.ts';

/** A pod's volume can't be made ready or taken down; the message names it and what to mend. */
export class VolumeError extends NodeletError {
  readonly code = 'VOLUME';
  readonly volume: string;

  constructor(volume: string, problem: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(`volume ${JSON.stringify(volume)}: ${problem}`, { retryable: true, ...options });
    this.volume = volume;
  }

  /** What a person should read of it where the volume has been named already. */
  get problem(): string {
    const text = describeError(this);
    const head = `volume ${JSON.stringify(this.volume)}: `;
    return text.startsWith(head) ? text.slice(head.length) : text;
  }
}

import { NodeletError } from '#lib/errors.ts';

/** A lifecycle hook failed; the message is upstream's. */
export class HookError extends NodeletError {
  readonly code = 'HOOK';
}

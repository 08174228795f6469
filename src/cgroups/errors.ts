import { NodeletError } from '#lib/errors.ts';

/** A cgroup could not be made, limited or removed. */
export class CgroupError extends NodeletError {
  readonly code = 'CGROUP';
}

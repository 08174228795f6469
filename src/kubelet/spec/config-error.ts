import { NodeletError } from '#lib/errors.ts';

/** The pod's spec can't be turned into a container: the waiting reason CreateContainerConfigError. */
export class ContainerConfigError extends NodeletError {
  readonly code = 'CreateContainerConfigError';
}

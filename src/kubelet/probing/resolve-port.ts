import { NodeletError } from '#lib/errors.ts';
import type { Container } from '#lib/kube/types.ts';

/** A probe or hook names a port that the container doesn't have. */
export class UnknownPortError extends NodeletError {
  readonly code = 'UNKNOWN_PORT';
}

/** The number of a port that is given as one or by its name in the container's ports. Throws UnknownPortError. */
export function resolvePort(port: unknown, { name, ports = [] }: Container): number {
  const named = ports.find((each) => each.name === port)?.containerPort;
  const number = named ?? Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw new UnknownPortError(
    `container ${name} has no port ${JSON.stringify(port)}: use a number from 1 to 65535 or a name in its ports`,
  );
}

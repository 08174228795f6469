import type { JsonMap } from './object.ts';

/** A refusal as the API server words it: an HTTP status and a `meta/v1 Status`. */
export class StatusError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly details: JsonMap | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    more: { details?: JsonMap; retryAfterSeconds?: number } = {},
  ) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.details = more.details;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }

  body(): JsonMap {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.status,
    };
  }
}

/** `pods`, or `leases.coordination.k8s.io`, as messages have it. */
export const qualified = (resource: { group: string; plural: string }): string =>
  resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;

const about = (resource: { group: string; plural: string }, name: string): { details: JsonMap } => ({
  details: { name, kind: resource.plural, ...(resource.group === '' ? {} : { group: resource.group }) },
});

type Named = { group: string; plural: string };

export const notFound = (resource: Named, name: string): StatusError =>
  new StatusError(404, 'NotFound', `${qualified(resource)} "${name}" not found`, about(resource, name));

export const alreadyExists = (resource: Named, name: string): StatusError =>
  new StatusError(
    409,
    'AlreadyExists',
    `${qualified(resource)} "${name}" already exists`,
    about(resource, name),
  );

export const conflict = (resource: Named, name: string, why: string): StatusError =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    about(resource, name),
  );

export const invalid = (kind: string, name: string, why: string): StatusError =>
  new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${why}`, { details: { name, kind } });

export const badRequest = (message: string): StatusError => new StatusError(400, 'BadRequest', message);

export const forbidden = (resource: Named, name: string, why: string): StatusError =>
  new StatusError(
    403,
    'Forbidden',
    `${qualified(resource)}${name === '' ? '' : ` "${name}"`} is forbidden: ${why}`,
    about(resource, name),
  );

export const expired = (message: string): StatusError => new StatusError(410, 'Expired', message);

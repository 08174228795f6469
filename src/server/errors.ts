import { NodeletError } from '#lib/errors.ts';

/** The request itself is wrong, or can't be met in the present state of things: HTTP 400. */
export class BadRequestError extends NodeletError {
  readonly code = 'BAD_REQUEST';
}

/** What was asked for contradicts the present state: HTTP 409. */
export class ConflictError extends NodeletError {
  readonly code = 'CONFLICT';
}

/** This mode of the agent doesn't do that at all: HTTP 405. */
export class NotSupportedError extends NodeletError {
  readonly code = 'NOT_SUPPORTED';
}

/** The request's body is over the limit: HTTP 413. */
export class BodyTooLargeError extends NodeletError {
  readonly code = 'BODY_TOO_LARGE';
}

/** The runtime's streaming server didn't take the session: HTTP 502. */
export class StreamingError extends NodeletError {
  readonly code = 'STREAMING';
}

/** Another agent serves the socket. */
export class SocketInUseError extends NodeletError {
  readonly code = 'SOCKET_IN_USE';
}

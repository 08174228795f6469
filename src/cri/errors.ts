import { NodeletError, causes } from '#lib/errors.ts';

/** gRPC's status codes by name (https://grpc.io/docs/guides/status-codes). */
export type RuntimeStatusCode =
  | 'CANCELLED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED';

/** A call that the container runtime answered with an error, or didn't answer. */
export class RuntimeError extends NodeletError {
  readonly code: string;
  /** CRI's name of the call: `RunPodSandbox`. */
  readonly verb: string;
  readonly status: RuntimeStatusCode;
  /** The runtime's own words, without gRPC's prefix. */
  readonly details: string;

  constructor(verb: string, status: RuntimeStatusCode, details: string, options: { cause?: unknown } = {}) {
    super(`${verb}: ${details}`, {
      ...options,
      retryable: status !== 'INVALID_ARGUMENT' && status !== 'UNIMPLEMENTED',
    });
    this.verb = verb;
    this.status = status;
    this.details = details;
    this.code = status;
  }
}

/** The runtime's status code of an error, through any wrapping. */
export function runtimeStatus(error: unknown): RuntimeStatusCode | undefined {
  for (const each of causes(error)) if (each instanceof RuntimeError) return each.status;
  return undefined;
}

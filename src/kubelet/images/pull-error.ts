import type { ImageFailure } from '../pod/ports.ts';
import { RuntimeError, runtimeStatus } from '#cri/errors.ts';
import type { RuntimeStatusCode } from '#cri/errors.ts';
import { NodeletError, causes, describeError } from '#lib/errors.ts';
import type { Credential } from './credential.ts';

/** gRPC's codes as Go prints them, which is how they stand in kubelet's messages. */
const GO_CODES: Record<RuntimeStatusCode, string> = {
  CANCELLED: 'Canceled',
  UNKNOWN: 'Unknown',
  INVALID_ARGUMENT: 'InvalidArgument',
  DEADLINE_EXCEEDED: 'DeadlineExceeded',
  NOT_FOUND: 'NotFound',
  ALREADY_EXISTS: 'AlreadyExists',
  PERMISSION_DENIED: 'PermissionDenied',
  RESOURCE_EXHAUSTED: 'ResourceExhausted',
  FAILED_PRECONDITION: 'FailedPrecondition',
  ABORTED: 'Aborted',
  OUT_OF_RANGE: 'OutOfRange',
  UNIMPLEMENTED: 'Unimplemented',
  INTERNAL: 'Internal',
  UNAVAILABLE: 'Unavailable',
  DATA_LOSS: 'DataLoss',
  UNAUTHENTICATED: 'Unauthenticated',
};

/**
 * An image that could not be pulled. The message is upstream's, without secrets; the runtime's own error is not
 * kept as the cause, since its text may hold some.
 */
export class ImagePullError extends NodeletError {
  readonly code = 'IMAGE_PULL';
  /** The runtime did not say that the pull failed: it may have finished it, or may yet. */
  readonly uncertain: boolean;

  constructor(message: string, options: { uncertain?: boolean } = {}) {
    super(message, { retryable: true });
    this.uncertain = options.uncertain ?? false;
  }
}

/** An error of the runtime as kubelet prints it; the code "Unknown" says nothing and is left out. */
export function runtimeErrorText(error: unknown): string {
  for (const each of causes(error)) {
    if (!(each instanceof RuntimeError)) continue;
    if (each.status === 'UNKNOWN') return each.details;
    return `rpc error: code = ${GO_CODES[each.status]} desc = ${each.details}`;
  }
  return describeError(error);
}

/** Whether the call ended without the runtime's verdict. */
export function isUncertain(error: unknown): boolean {
  const status = runtimeStatus(error);
  return status === undefined || status === 'CANCELLED' || status === 'DEADLINE_EXCEEDED';
}

/** Without the logins that were tried, and without what URLs carry as user or query (signatures of blob stores). */
export function scrub(text: string, credentials: readonly Credential[]): string {
  const plain = text
    .replace(/(\bhttps?:\/\/)[^\s/@"']+@/g, '$1[redacted]@')
    .replace(/(\bhttps?:\/\/[^\s?"']+)\?[^\s"']+/g, '$1?[redacted]');
  return credentials.reduce((clean, credential) => credential.redact(clean), plain);
}

/** Several errors in one line, as upstream's aggregate prints them: `[a, b]`, each once. */
export function aggregate(texts: readonly string[]): string {
  const unique = [...new Set(texts)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
}

/** Failures that runtimes name at the start of their message. */
const NAMED: readonly { reason: ImageFailure; because: string }[] = [
  { reason: 'RegistryUnavailable', because: 'the registry is unavailable' },
  { reason: 'SignatureValidationFailed', because: 'the signature validation failed' },
];

/** The waiting reason and its message that follow from a failed pull's error text. */
export function classifyPullError(image: string, text: string): { reason: ImageFailure; message: string } {
  for (const { reason, because } of NAMED) {
    if (text.startsWith(reason)) {
      return {
        reason,
        message: `image pull failed for ${image} because ${because}${text.slice(reason.length)}`,
      };
    }
  }
  return { reason: 'ErrImagePull', message: text };
}

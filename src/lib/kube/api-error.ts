import { NodeletError } from '../errors.ts';

/** What the API server answers a call that it refuses: the parts of `meta/v1 Status` that anybody reads. */
export interface ApiStatus {
  /** HTTP status; 0 where no answer came. */
  status: number;
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Expired`, `Forbidden` …; empty where the answer gave none. */
  reason: string;
  message: string;
  /** From Retry-After, in milliseconds. */
  retryAfterMs?: number | undefined;
}

/** A call on the API server that was refused, or that got no answer. */
export class ApiError extends NodeletError {
  readonly code = 'API';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(answer: ApiStatus, options: { cause?: unknown } = {}) {
    // Without an answer, or with one that says "later", the same call may succeed.
    const retryable = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    super(answer.message, { ...options, retryable });
    this.status = answer.status;
    this.reason = answer.reason;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

const is =
  (status: number, reason?: string) =>
  (error: unknown): error is ApiError =>
    error instanceof ApiError && error.status === status && (reason === undefined || error.reason === reason);

export const isApiNotFound = is(404);
export const isApiAlreadyExists = is(409, 'AlreadyExists');
export const isApiConflict = is(409, 'Conflict');
/** The resource version is too old: list again. */
export const isApiGone = is(410);
export const isApiUnauthorized = is(401);
export const isApiForbidden = is(403);
export const isApiTooManyRequests = is(429);

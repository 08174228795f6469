import { STATUS_CODES } from '#host/http.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import type { HttpAnswer } from './connection.ts';

interface Status {
  kind?: unknown;
  reason?: unknown;
  message?: unknown;
  code?: unknown;
  details?: { retryAfterSeconds?: unknown } | null;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The error that an answer other than 2xx stands for. `now` is wall time, for a Retry-After that is a date. */
export function toApiError(
  answer: Pick<HttpAnswer, 'status' | 'headers'>,
  body: string,
  now: number,
): ApiError {
  const status = parseStatus(body);
  const heading = `${answer.status} ${STATUS_CODES[answer.status] ?? ''}`.trimEnd();
  const isPlain = text(answer.headers['content-type']).startsWith('text/plain');
  const words = isPlain ? body.trim().slice(0, 200) : '';
  return new ApiError({
    status: answer.status,
    reason: text(status?.reason),
    message: text(status?.message) || `the server answers ${heading}${words === '' ? '' : `: ${words}`}`,
    retryAfterMs: retryAfter(answer.headers['retry-after'], now) ?? detailsRetryAfter(status),
  });
}

/** The error that an ERROR event of a watch, or a Status given as an object, stands for. */
export function statusToApiError(value: unknown): ApiError {
  const status = (value ?? {}) as Status;
  return new ApiError({
    status: typeof status.code === 'number' ? status.code : 500,
    reason: text(status.reason),
    message: text(status.message) || 'the server ends the watch with an error',
    retryAfterMs: detailsRetryAfter(status),
  });
}

function parseStatus(body: string): Status | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(body) as Status;
    return value.kind === 'Status' ? value : undefined;
  } catch {
    return undefined;
  }
}

function detailsRetryAfter(status: Status | undefined): number | undefined {
  const seconds = status?.details?.retryAfterSeconds;
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
}

/** Seconds or an HTTP date, as milliseconds from now. */
function retryAfter(header: string | string[] | undefined, now: number): number | undefined {
  const value = typeof header === 'string' ? header.trim() : '';
  if (value === '') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

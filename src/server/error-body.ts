import { NodeletError, causes, codeOf, describeError } from '#lib/errors.ts';
import type { ErrorBody } from './api.ts';

const known: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  NOT_FOUND: [404, 'NotFound'],
  BAD_REQUEST: [400, 'BadRequest'],
  USAGE: [400, 'BadRequest'],
  PATH_SEGMENT: [400, 'BadRequest'],
  CONFLICT: [409, 'Conflict'],
  NOT_SUPPORTED: [405, 'MethodNotAllowed'],
  BODY_TOO_LARGE: [413, 'RequestEntityTooLarge'],
  STREAMING: [502, 'StreamingFailed'],
  DEADLINE: [504, 'Timeout'],
};

/**
 * What a client is told of an error. Messages of errors that this program didn't make on purpose stay in the
 * agent's log: they may quote what they choked on.
 */
export function errorBody(error: unknown): ErrorBody {
  const [first] = causes(error);
  if (!(first instanceof NodeletError)) {
    return { code: 500, message: 'internal error; the agent’s log has more', reason: 'InternalError' };
  }
  const [code, reason] = known[first.code] ?? known[codeOf(error) ?? ''] ?? [500, 'InternalError'];
  return { code, message: describeError(error), reason };
}

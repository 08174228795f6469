/**
 * The root of every error that this program throws on purpose.
 *
 * `code` is stable and is what callers compare; messages are for people and may change. `retryable` says
 * whether the same call may succeed later without anybody mending anything.
 */
export abstract class NodeletError extends Error {
  abstract readonly code: string;
  readonly retryable: boolean;

  constructor(message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.retryable = options.retryable ?? false;
  }
}

/** Wrong words on the command line or in a configuration file: ends the program with exit status 2. */
export class UsageError extends NodeletError {
  readonly code = 'USAGE';
}

/** The program met a state that its own code should have made impossible. */
export class InternalError extends NodeletError {
  readonly code = 'INTERNAL';
}

/** Something was asked for that isn't there. */
export class NotFoundError extends NodeletError {
  readonly code = 'NOT_FOUND';
}

/** A call on the outside world took longer than its deadline. */
export class DeadlineError extends NodeletError {
  readonly code = 'DEADLINE';

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { ...options, retryable: true });
  }
}

/** The error and everything that caused it, outermost first. */
export function* causes(error: unknown): Generator {
  const seen = new Set<unknown>();
  for (let at = error; at !== undefined && at !== null && !seen.has(at);) {
    seen.add(at);
    yield at;
    at = at instanceof Error ? at.cause : undefined;
  }
}

/** The first `code` in the chain of causes: ours, or Node's own (`ENOENT`). */
export function codeOf(error: unknown): string | undefined {
  for (const each of causes(error)) {
    if (each instanceof Error && 'code' in each && typeof each.code === 'string') return each.code;
  }
  return undefined;
}

export function isRetryable(error: unknown): boolean {
  for (const each of causes(error)) if (each instanceof NodeletError) return each.retryable;
  return false;
}

export function isNotFound(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'NOT_FOUND' || code === 'ENOENT';
}

/** A wrapper's message is often `CALL: WORDS` around a cause that says `STATUS: WORDS`. */
const withoutHead = (text: string): string => text.slice(text.indexOf(': ') + 1).trim();

/** What a person should read of an error: its message and those of its causes, without repetition. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (const each of causes(error)) {
    const text = each instanceof Error ? each.message : String(each);
    if (text !== '' && !parts.some((part) => part.includes(text) || text.includes(withoutHead(part))))
      parts.push(text);
  }
  return parts.join(': ');
}

/** Anything thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new InternalError(`thrown: ${String(thrown)}`);
}

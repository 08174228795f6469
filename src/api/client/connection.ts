import type { Readable } from 'node:stream';
import { NodeletError } from '#lib/errors.ts';

/** One HTTP exchange on whatever connection there is. */
export interface HttpCall {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
  /** After the body has closed: whether it was whole. */
  readonly isWhole: () => boolean;
}

/** No connection, or one that ended before the answer. */
export class ConnectionError extends NodeletError {
  readonly code: string = 'CONNECTION';

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { ...options, retryable: true });
  }
}

/** The connection ended before the server looked at the call: another one may carry it. */
export class UnsentError extends ConnectionError {
  override readonly code = 'UNSENT';
}

/** The host answers, but TLS does not come about: wrong, or outdated, certificates on one side. */
export class TlsError extends ConnectionError {
  override readonly code = 'TLS';
}

/** Connections of one kind that carry calls. */
export interface Carrier {
  /** Resolves with the answer's head. Rejects with ConnectionError, or with the signal's reason. */
  request(call: HttpCall): Promise<HttpAnswer>;
  /** Takes no more calls; those under way go on. */
  retire(): void;
  /** Ends everything under way. */
  destroy(error: Error): void;
}

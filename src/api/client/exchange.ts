import type { Clock } from '#lib/clock.ts';
import { codeOf } from '#lib/errors.ts';
import type { Credentials } from '../credentials.ts';
import type { ClientMetrics } from './client-metrics.ts';
import type { HttpAnswer } from './connection.ts';
import { TlsError, UnsentError } from './connection.ts';
import type { Transport, TransportLane } from './transport.ts';

export interface Outgoing {
  readonly method: string;
  /** Below the server's own path. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

export interface ExchangerOptions {
  readonly credentials: Credentials;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly metrics: ClientMetrics;
  readonly userAgent: string;
}

/**
 * Sends with the credentials of the moment. Once more where the connection closed before anything was looked at, and
 * once more where the server refused credentials that have changed since.
 */
export class Exchanger {
  readonly #options: ExchangerOptions;
  readonly #basePath: string;

  constructor(options: ExchangerOptions) {
    this.#options = options;
    this.#basePath = options.credentials.server.pathname.replace(/\/+$/, '');
  }

  /** The URL for people. */
  shown({ method, path }: Outgoing): string {
    return `${method} ${this.#options.credentials.server.origin}${this.#basePath}${path}`;
  }

  async send(lane: TransportLane, outgoing: Outgoing, signal: AbortSignal): Promise<HttpAnswer> {
    const { credentials } = this.#options;
    let isSecondTry = false;
    let isRenewed = false;
    for (;;) {
      const identity = await credentials.current(signal);
      try {
        const answer = await this.#exchange(lane, outgoing, identity, signal);
        if (answer.status !== 401 || isRenewed) return answer;
        isRenewed = true;
        if (!(await credentials.refused(identity, signal))) return answer;
        answer.body.resume();
      } catch (error) {
        if (signal.aborted) throw error;
        if (isTlsFailure(error) && !isRenewed) {
          isRenewed = true;
          if (!(await credentials.refused(identity, signal))) throw error;
        } else if (error instanceof UnsentError && !isSecondTry) isSecondTry = true;
        else throw error;
      }
    }
  }

  async #exchange(
    lane: TransportLane,
    outgoing: Outgoing,
    identity: Awaited<ReturnType<Credentials['current']>>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { transport, clock, metrics, userAgent } = this.#options;
    const began = clock.monotonic();
    let status = 0;
    try {
      const answer = await transport.request(lane, identity.tls, {
        method: outgoing.method,
        path: `${this.#basePath}${outgoing.path}`,
        headers: {
          'user-agent': userAgent,
          accept: 'application/json',
          ...outgoing.headers,
          ...identity.headers,
        },
        body: outgoing.body,
        signal,
      });
      status = answer.status;
      return answer;
    } finally {
      metrics.exchanged(outgoing.method, status, clock.monotonic() - began);
    }
  }
}

/** Over TLS 1.3 a refused certificate shows only after the handshake, as an alert. */
const isTlsFailure = (error: unknown): boolean =>
  error instanceof TlsError ||
  codeOf(error instanceof Error ? error.cause : undefined)?.startsWith('ERR_SSL') === true;

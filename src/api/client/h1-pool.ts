import type { AgentOptions, IncomingMessage, RequestOptions } from 'node:http';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import * as http from '#host/http.ts';
import * as https from '#host/https.ts';
import { ConnectionError, TlsError, UnsentError } from './connection.ts';
import type { Carrier, HttpAnswer, HttpCall } from './connection.ts';
import { tlsOptions } from './open-socket.ts';
import type { Target } from './open-socket.ts';

const KEEP_ALIVE_MS = 30_000;
/** Shorter than what servers and load balancers usually grant. */
const IDLE_MS = 30_000;

/** Connections of HTTP/1.1, each carrying one call at a time and kept for the next. */
export class H1Pool implements Carrier {
  readonly #target: Target;
  readonly #agent: PoolAgent;
  readonly #underWay = new Set<(error: Error) => void>();

  constructor(target: Target, maxSockets: number) {
    this.#target = target;
    this.#agent = new PoolAgent(target, { maxSockets });
  }

  request(call: HttpCall): Promise<HttpAnswer> {
    const { host, port, tls } = this.#target;
    const { signal } = call;
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const options: RequestOptions = {
        host,
        port,
        method: call.method,
        path: call.path,
        headers:
          call.body === undefined
            ? call.headers
            : { ...call.headers, 'content-length': String(call.body.length) },
        agent: this.#agent,
      };
      const request = tls === undefined ? http.request(options) : https.request(options);
      let isAnswered = false;
      const end = (error: Error): void => {
        reject(error);
        request.destroy();
      };
      const abort = (): void => end(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      this.#underWay.add(end);
      request.on('response', (answer) => {
        isAnswered = true;
        resolve(toAnswer(answer));
        // Errors of the body come to its reader, too.
        answer.on('error', () => undefined);
      });
      request.on('error', (cause) => {
        if (isAnswered) return;
        // A connection that the server closed while it lay idle; only what changes nothing may be said twice.
        const isStale = request.reusedSocket && call.method === 'GET';
        if (isStale) reject(new UnsentError('the connection had closed', { cause }));
        else reject(classify(cause, tls !== undefined && !request.reusedSocket));
      });
      request.on('close', () => {
        signal.removeEventListener('abort', abort);
        this.#underWay.delete(end);
        reject(new ConnectionError('the connection closed before an answer'));
      });
      request.end(call.body);
    });
  }

  retire(): void {
    this.#agent.stopKeeping();
  }

  destroy(error: Error): void {
    this.retire();
    for (const end of this.#underWay) end(error);
  }
}

/** `isFirst`: TLS was only just agreed on. A server that then refuses the client's certificate may simply hang up. */
function classify(error: Error, isFirst: boolean): ConnectionError {
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const isCut = isFirst && ['ECONNRESET', 'EPIPE'].includes(code);
  if (isCut || /^(ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code)) {
    return new TlsError('TLS fails', { cause });
  }
  return new ConnectionError('the connection fails', { cause });
}

function toAnswer(answer: IncomingMessage): HttpAnswer {
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    body: answer,
    isWhole: () => answer.complete,
  };
}

/** An agent for one target, over TLS or not. */
class PoolAgent extends http.Agent {
  readonly #target: Target;
  #keeps = true;
  /** What `https.request` asks of its agent. */
  readonly defaultPort: number;
  readonly protocol: string;

  constructor(target: Target, options: AgentOptions) {
    // The agent closes idle connections at the time-out, or earlier where the server says so.
    super({
      keepAlive: true,
      keepAliveMsecs: KEEP_ALIVE_MS,
      timeout: IDLE_MS,
      scheduling: 'lifo',
      ...options,
    });
    this.#target = target;
    this.defaultPort = target.tls === undefined ? 80 : 443;
    this.protocol = target.tls === undefined ? 'http:' : 'https:';
  }

  override createConnection(): Socket {
    const { host, port, tls } = this.#target;
    const socket =
      tls === undefined
        ? connectTcp({ host, port })
        : connectTls({ host, port, ...tlsOptions(this.#target, ['http/1.1']) });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  }

  /** Node's own returns whether to keep it, which its types don't tell. */
  override keepSocketAlive(socket: Duplex): boolean {
    return this.#keeps && (super.keepSocketAlive(socket) as unknown) !== false;
  }

  stopKeeping(): void {
    this.#keeps = false;
    for (const sockets of Object.values(this.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }
}

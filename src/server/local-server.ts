import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { removeFile } from '#host/files.ts';
import { createServer } from '#host/http.ts';
import type { Clock } from '#lib/clock.ts';
import { NotFoundError, codeOf } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import type { AgentInfo } from './api.ts';
import { claimSocket } from './claim-socket.ts';
import { errorBody } from './error-body.ts';
import { NotSupportedError } from './errors.ts';
import { ExecRelay, refuse } from './exec-relay.ts';
import { podPath, serveRequest } from './routes.ts';
import type { NodeView } from './view.ts';

/** What is still under way after this, when the server stops, is cut off. */
const stopGraceMs = 500;

export interface LocalServerParts {
  /** Path of the unix socket. */
  socket: string;
  view: NodeView;
  info: AgentInfo;
  /** What /configz shows; absent: this mode has no such configuration. */
  configuration?: Readonly<Record<string, unknown>>;
  clock: Clock;
  logger: Logger;
}

/** HTTP/1.1 on a unix socket that only root may use: what `nodelet get`, `logs`, `exec` and the rest talk to. */
export class LocalServer {
  readonly #parts: LocalServerParts;
  readonly #exec: ExecRelay;
  readonly #server: Server;
  readonly #stopping = new AbortController();

  constructor(parts: LocalServerParts) {
    this.#parts = parts;
    this.#exec = new ExecRelay(parts.view, parts.logger);
    this.#server = createServer({
      maxHeaderSize: 64 * 1024,
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: 2000,
      connectionsCheckingInterval: 5000,
    });
    this.#server.maxConnections = 1024;
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    this.#server.on('clientError', (error, socket) => {
      const code = codeOf(error) === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
      refuse(socket, { code, message: 'the request is not well formed', reason: 'BadRequest' });
    });
  }

  /** Exec sessions under way. */
  get sessions(): number {
    return this.#exec.sessions;
  }

  /** Rejects with SocketInUseError if another agent serves the socket. */
  async start(): Promise<void> {
    await claimSocket(this.#server, this.#parts.socket);
    this.#server.on('error', (err) => this.#parts.logger.error({ err }, 'local socket'));
  }

  /** Ends within a second: streams end, sessions are cut, the socket goes. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await removeFile(this.#parts.socket);
    this.#stopping.abort();
    this.#exec.stop();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    const deadline = setTimeout(() => this.#server.closeAllConnections(), stopGraceMs);
    await closed;
    clearTimeout(deadline);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.#stopping.signal]);
    try {
      await serveRequest(this.#parts, request, response, signal);
    } catch (error) {
      if (gone.signal.aborted) return;
      const body = errorBody(error);
      const level = body.code >= 500 ? 'warn' : 'debug';
      this.#parts.logger[level]({ err: error, method: request.method }, 'local request failed');
      if (response.headersSent) {
        response.destroy();
        return;
      }
      // What is left of the request isn't read: so the connection can't serve another one.
      response.writeHead(body.code, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
      if (!request.complete) request.resume();
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://socket');
      const pod = podPath(url.pathname);
      if (pod?.verb !== 'exec') throw new NotFoundError('no such page');
      if (request.method !== 'POST') throw new NotSupportedError('exec is a POST');
      await this.#exec.serve(request, socket, head, { ...pod, query: url.searchParams });
    } catch (error) {
      refuse(socket, errorBody(error));
    }
  }
}

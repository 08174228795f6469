import { once } from 'node:events';
import { createServer } from 'node:http';
import { constants, createSecureServer } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TestCa } from './certs.ts';

/** A request as a test sees it. */
export interface Received {
  method: string;
  url: URL;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
  /** The client certificate's common name. */
  user: string | undefined;
  /** Which of the server's connections it came over, from 1. */
  connection: number;
  session: ServerHttp2Session | undefined;
  socket: Socket;
  /** HTTP/2: says that the request was not looked at. */
  refuse: () => void;
}

export interface Reply {
  /** Sends the head, and the body where one is given: as JSON unless it is a string. */
  answer(status: number, body?: unknown, headers?: Record<string, string>): void;
  /** Sends head and nothing more; `write` and `end` follow. */
  open(status?: number): void;
  write(text: string): void;
  end(): void;
  /** Resolves when the client has gone away or everything is sent. */
  closed: Promise<void>;
}

export type Handler = (request: Received, reply: Reply) => void;

export interface HttpServerOptions {
  protocol: 'h2' | 'https' | 'http';
  ca?: TestCa;
  /** Client certificates of this CA are required. */
  clientCa?: TestCa;
  maxConcurrentStreams?: number;
  port?: number;
}

/** A small HTTP server on 127.0.0.1, with the faults that tests ask for. */
export class HttpServer {
  handler: Handler = (_request, reply) => reply.answer(404);
  onSession: (session: ServerHttp2Session) => void = () => undefined;
  readonly requests: Received[] = [];
  readonly sessions = new Set<ServerHttp2Session>();
  readonly sockets = new Set<Socket>();
  connections = 0;
  readonly #server: Server;
  readonly #secure: boolean;
  readonly #numbers = new WeakMap<object, number>();
  #numbered = 0;

  private constructor(server: Server, secure: boolean) {
    this.#server = server;
    this.#secure = secure;
  }

  static async start(options: HttpServerOptions): Promise<HttpServer> {
    const { protocol, ca, clientCa } = options;
    const pair = await ca?.issue('CN=server', { ips: ['127.0.0.1'], dns: ['api.test'] });
    const tls = {
      ...pair,
      ...(clientCa === undefined ? {} : { ca: clientCa.cert, requestCert: true, rejectUnauthorized: true }),
    };
    const server =
      protocol === 'http'
        ? createServer()
        : protocol === 'https'
          ? createHttps(tls)
          : createSecureServer({
              ...tls,
              settings: { maxConcurrentStreams: options.maxConcurrentStreams ?? 100 },
            });
    const made = new HttpServer(server, protocol !== 'http');
    server.on('request', (request: IncomingMessage | Http2ServerRequest, response: ServerResponse) =>
      made.#received(request, response),
    );
    server.on('session', (session: ServerHttp2Session) => {
      made.sessions.add(session);
      made.onSession(session);
      session.on('error', () => undefined);
      session.once('close', () => made.sessions.delete(session));
    });
    server.on(protocol === 'http' ? 'connection' : 'secureConnection', (socket: Socket) => {
      made.connections += 1;
      made.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => made.sockets.delete(socket));
    });
    server.listen(options.port ?? 0, '127.0.0.1');
    await once(server, 'listening');
    return made;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.sessions) session.destroy();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  #number(of: object): number {
    const number = this.#numbers.get(of) ?? ++this.#numbered;
    this.#numbers.set(of, number);
    return number;
  }

  #received(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void {
    const session = 'stream' in request ? (request.stream.session as ServerHttp2Session) : undefined;
    const socket = session === undefined ? request.socket : session.socket;
    // An HTTP/2 session hands out a proxy of its socket; the certificate is read through it.
    const certificate = (socket as TLSSocket).getPeerCertificate?.();
    const subject: unknown = certificate?.subject?.CN;
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    request.on('end', () => {
      const received: Received = {
        method: request.method ?? '',
        url: new URL(request.url ?? '', this.url),
        headers: request.headers,
        body,
        user: typeof subject === 'string' ? subject : undefined,
        connection: this.#number(session ?? socket),
        session,
        socket,
        refuse: () => {
          if ('stream' in request) request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
        },
      };
      this.requests.push(received);
      this.handler(received, reply(response as ServerResponse));
    });
  }
}

function reply(response: ServerResponse): Reply {
  const closed = new Promise<void>((resolve) => {
    response.once('close', resolve);
  });
  return {
    answer: (status, body, headers = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body ?? {});
      response.writeHead(status, {
        'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
        ...headers,
      });
      response.end(text);
    },
    open: (status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.flushHeaders();
    },
    write: (text) => void response.write(text),
    end: () => void response.end(),
    closed,
  };
}

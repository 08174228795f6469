import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { KeyPair } from '../../pki.ts';
import type { Request, Response } from './exchange.ts';

/** HTTP/2 and HTTP/1.1 by ALPN, over TLS, on a Unix socket. */
export class TlsServer {
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();
  readonly #ca: string;

  constructor(pair: KeyPair, ca: string, handler: (request: Request, response: Response) => void) {
    this.#ca = ca;
    this.#server = createSecureServer(
      {
        cert: pair.certificate,
        key: pair.key,
        ca,
        allowHTTP1: true,
        requestCert: true,
        // Whoever shows no certificate, or a bad one, is told so by HTTP.
        rejectUnauthorized: false,
        settings: { maxConcurrentStreams: 250 },
      },
      handler,
    );
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => undefined);
      session.on('close', () => this.#sessions.delete(session));
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('sessionError', () => undefined);
    this.#server.on('tlsClientError', () => undefined);
    this.#server.on('clientError', (_error: Error, socket: Duplex) => socket.destroy());
  }

  async listen(socketPath: string): Promise<void> {
    this.#server.listen(socketPath);
    await once(this.#server, 'listening');
  }

  /** For connections from now on. */
  useCertificate(pair: KeyPair): void {
    this.#server.setSecureContext({ cert: pair.certificate, key: pair.key, ca: this.#ca });
  }

  /** Tells HTTP/2 clients to open another connection; requests under way are still answered. */
  goAway(): void {
    for (const session of this.#sessions) session.goaway();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

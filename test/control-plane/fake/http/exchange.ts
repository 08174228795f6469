import type { IncomingMessage, ServerResponse } from 'node:http';
import { Http2ServerResponse } from 'node:http2';
import type { Http2ServerRequest } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { RequestRecord } from '../recorder.ts';
import { badRequest } from '../status-error.ts';
import type { StatusError } from '../status-error.ts';

export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

/** As upstream, answers below this size aren't compressed. */
const gzipFrom = 128 << 10;

/** A request with its answer, over HTTP/1.1 or HTTP/2. */
export class Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly record: RequestRecord;

  constructor(request: Request, response: Response, record: RequestRecord) {
    this.request = request;
    this.response = response;
    this.record = record;
    const start = performance.now();
    response.on('close', () => (record.durationMs = performance.now() - start));
  }

  /** The connection's TLS layer, for its client certificate. */
  get socket(): TLSSocket {
    const { request } = this;
    const socket = 'stream' in request ? request.stream.session?.socket : request.socket;
    return socket as TLSSocket;
  }

  header(name: string): string {
    return String(this.request.headers[name] ?? '');
  }

  async readBody(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    this.record.requestBytes = body.length;
    return body;
  }

  send(status: number, value: unknown, headers: Record<string, string> = {}): void {
    if (this.response.headersSent || this.response.destroyed) return;
    let body = Buffer.from(typeof value === 'string' ? value : `${JSON.stringify(value)}\n`);
    const type = typeof value === 'string' ? 'text/plain' : 'application/json';
    const all: Record<string, string> = { 'content-type': type, ...headers };
    if (body.length > gzipFrom && this.header('accept-encoding').includes('gzip')) {
      body = gzipSync(body, { level: 1 });
      all['content-encoding'] = 'gzip';
    }
    this.head(status, { ...all, 'content-length': `${body.length}` });
    this.record.responseBytes += body.length;
    this.response.end(body);
  }

  refuse(error: StatusError): void {
    const wait = error.retryAfterSeconds;
    this.send(error.status, error.body(), wait === undefined ? {} : { 'retry-after': `${wait}` });
  }

  /** Begins a stream. */
  head(status: number, headers: Record<string, string>): void {
    this.record.status = status;
    const { response } = this;
    if (response instanceof Http2ServerResponse) response.writeHead(status, headers);
    else response.writeHead(status, headers).flushHeaders();
  }

  write(text: string): void {
    const { response } = this;
    if (response.destroyed || response.writableEnded) return;
    this.record.responseBytes += text.length;
    if (response instanceof Http2ServerResponse) response.write(text);
    else response.write(text);
  }

  end(): void {
    this.response.end();
  }

  /** Cuts the whole connection, as a crash or a firewall would. */
  cut(): void {
    const { response, request } = this;
    if (response instanceof Http2ServerResponse) response.stream.session?.destroy();
    else request.socket.destroy();
  }
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    throw badRequest(`the body is no JSON: ${String(error)}`);
  }
}

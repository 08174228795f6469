/** One HTTP GET as upstream's probes and hooks make it: no proxy, no certificates checked, a connection of its own. */
import type { IncomingMessage } from 'node:http';
import { type Socket, connect, isIP } from 'node:net';
import { type SecureContext, connect as connectTls, createSecureContext } from 'node:tls';
import { request as httpRequest } from '#host/http.ts';
import type { Clock } from '#lib/clock.ts';
import { NodeletError, codeOf } from '#lib/errors.ts';
import { brokenWords, dialTimeout, dialWords } from './go-words.ts';
import { type HttpRequest, hrefOf } from './http-request.ts';
import { MAX_OUTPUT_BYTES } from './outcome.ts';

/** There was no answer, or no whole one; the message is Go's. */
export class HttpGetError extends NodeletError {
  readonly code = 'HTTP_GET';
  /** Whether a status had come before it broke off. */
  readonly answered: boolean;
  /** Whether something answered that speaks no TLS. */
  readonly isPlain: boolean;

  constructor(message: string, options: { cause?: unknown; answered?: boolean; isPlain?: boolean } = {}) {
    super(message, { cause: options.cause, retryable: true });
    this.answered = options.answered ?? false;
    this.isPlain = options.isPlain ?? false;
  }
}

export interface HttpAnswer {
  status: number;
  /** The first 10 KiB. */
  body: string;
}

export interface HttpGetOptions {
  clock: Clock;
  /** For the whole exchange, redirects included; undefined: none. */
  timeoutMs: number | undefined;
  signal: AbortSignal;
}

const MOST_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What of a longer answer is read away, so that the connection ends in order; what sends more is cut off. */
const MOST_DISCARDED_BYTES = 256 << 10;
/** What OpenSSL says of bytes that are no TLS. */
const NO_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_RECORD_LAYER_FAILURE',
]);

/**
 * Sends the request and follows redirects that stay on its host; one that leaves it is the answer. Rejects with
 * HttpGetError or the signal's reason.
 */
export async function httpGet(first: HttpRequest, options: HttpGetOptions): Promise<HttpAnswer> {
  const { clock, timeoutMs } = options;
  const deadline = timeoutMs === undefined ? undefined : clock.monotonic() + timeoutMs;
  let request = first;
  for (let redirects = 0; ; redirects++) {
    const left = deadline === undefined ? undefined : deadline - clock.monotonic();
    const answer = await exchange(request, { ...options, timeoutMs: left });
    const { location } = answer;
    if (!REDIRECTS.has(answer.status) || !location) return answer;
    const next = redirected(request, location);
    if (next.host !== first.host) return answer;
    if (redirects + 1 >= MOST_REDIRECTS) {
      throw new HttpGetError(`Get ${JSON.stringify(hrefOf(next))}: stopped after 10 redirects`);
    }
    request = next;
  }
}

function redirected(from: HttpRequest, location: string): HttpRequest {
  const href = hrefOf(from);
  const url = URL.parse(location, href);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new HttpGetError(
      `Get ${JSON.stringify(href)}: failed to parse Location header ${JSON.stringify(location)}`,
    );
  }
  const secure = url.protocol === 'https:';
  // A redirect to another path keeps the virtual host that the action asked for.
  const keepsHost = !/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(location);
  return {
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port) || (secure ? 443 : 80),
    path: url.pathname + url.search,
    headers: {
      ...from.headers,
      Host: keepsHost ? (from.headers['Host'] ?? [url.host]) : [url.host],
      ...(from.secure && !secure ? {} : { Referer: [href] }),
    },
  };
}

type Received = HttpAnswer & { location: string | undefined };

let context: SecureContext | undefined;
/** Takes what Go takes: also keys that OpenSSL by itself calls too short. Nothing is verified anyway. */
const tlsContext = (): SecureContext =>
  (context ??= createSecureContext({ ciphers: 'DEFAULT@SECLEVEL=0', ca: [] }));

function exchange(request: HttpRequest, options: HttpGetOptions): Promise<Received> {
  const { host, port, secure, path, headers } = request;
  const { clock, timeoutMs, signal } = options;
  const get = `Get ${JSON.stringify(hrefOf(request))}: `;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    let isConnected = false;
    let isAnswered = false;
    const raw = connect({ host, port });
    raw.once('connect', () => (isConnected = true));
    const socket = secure ? overTls(raw, host) : raw;
    const fail = (words: string, more: { cause?: unknown; isPlain?: boolean } = {}): void =>
      reject(new HttpGetError(get + words, { ...more, answered: isAnswered }));
    const breakOff = (error: unknown): void => {
      if (!isConnected) fail(dialWords(host, port, error), { cause: error });
      else if (isAnswered) fail('unexpected EOF', { cause: error });
      else if (secure && NO_TLS.has(codeOf(error) ?? ''))
        fail('http: server gave HTTP response to HTTPS client', { cause: error, isPlain: true });
      else fail(brokenWords(error), { cause: error });
      raw.destroy();
    };
    const reset = (): void => {
      if (isConnected) raw.resetAndDestroy();
      else raw.destroy();
    };
    const abort = (): void => {
      reject(signal.reason as Error);
      reset();
    };
    signal.addEventListener('abort', abort, { once: true });
    const late = (): void => {
      fail(lateWords(request, isConnected, isAnswered));
      reset();
    };
    const timer = timeoutMs === undefined ? undefined : clock.after(timeoutMs, late);
    // Under TLS some errors of the socket below come to nobody else.
    raw.on('error', breakOff);
    socket.on('error', breakOff);
    socket.once('close', () => {
      timer?.cancel();
      signal.removeEventListener('abort', abort);
      fail('EOF');
    });
    const send = (): void => {
      const sent = httpRequest({
        method: 'GET',
        path,
        headers: headersOf(headers),
        maxHeaderSize: 1 << 20,
        createConnection: () => socket,
      });
      sent.on('error', breakOff);
      sent.on('response', (answer) => {
        isAnswered = true;
        receive(answer, raw, breakOff, resolve);
      });
      sent.on('upgrade', ({ statusCode = 0 }) => {
        resolve({ status: statusCode, location: undefined, body: '' });
        raw.destroy();
      });
      sent.end();
    };
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      try {
        send();
      } catch (error) {
        // A header that can't be sent.
        breakOff(error);
      }
    });
  });
}

const headersOf = (headers: HttpRequest['headers']): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? '') : [...values],
    ]),
  );

function overTls(raw: Socket, host: string): Socket {
  return connectTls({
    socket: raw,
    secureContext: tlsContext(),
    rejectUnauthorized: false,
    servername: isIP(host) === 0 ? host : '',
  });
}

function lateWords({ host, port }: HttpRequest, isConnected: boolean, isAnswered: boolean): string {
  if (isAnswered)
    return 'context deadline exceeded (Client.Timeout or context cancellation while reading body)';
  const what = isConnected ? 'context deadline exceeded' : dialTimeout(host, port);
  return `${what} (Client.Timeout exceeded while awaiting headers)`;
}

function receive(
  answer: IncomingMessage,
  raw: Socket,
  breakOff: (error: unknown) => void,
  resolve: (received: Received) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const done = (): void =>
    resolve({
      status: answer.statusCode ?? 0,
      location: answer.headers.location,
      body: Buffer.concat(chunks).subarray(0, MAX_OUTPUT_BYTES).toString(),
    });
  answer.on('data', (chunk: Buffer) => {
    if (length < MAX_OUTPUT_BYTES) chunks.push(chunk);
    length += chunk.length;
    if (length >= MAX_OUTPUT_BYTES) done();
    if (length > MOST_DISCARDED_BYTES) raw.destroy();
  });
  answer.on('end', done);
  answer.on('error', breakOff);
}

import type { IncomingMessage } from 'node:http';
import { decodeUtf8 } from '#host/bounded-read.ts';
import * as http from '#host/http.ts';
import { DeadlineError, NodeletError } from '#lib/errors.ts';

/** The server's answer is none that can be used. */
export class HttpGetError extends NodeletError {
  readonly code = 'HTTP_GET';
}

export interface HttpGetOptions {
  /** A name may have several values. */
  headers: Readonly<Record<string, readonly string[]>>;
  /** For the whole exchange, redirects included. */
  timeoutMs: number;
  maxBytes: number;
  signal: AbortSignal;
  /** Certificates (PEM) to trust; the system's unless given. */
  ca?: readonly string[];
}

/** As Go's client, which upstream uses. */
const MOST_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Not carried to another host. */
const SECRET_HEADERS = new Set([
  'authorization',
  'www-authenticate',
  'cookie',
  'cookie2',
  'proxy-authorization',
]);

/** The text at `url` (http or https). Rejects on any status but 200. Errors never name headers or the URL's query. */
export async function httpGet(url: URL, options: HttpGetOptions): Promise<string> {
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    deadline.abort(new DeadlineError(`no whole answer within ${options.timeoutMs} ms`));
  }, options.timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  try {
    return await follow(url, { ...options, signal });
  } catch (error) {
    throw signal.aborted ? (signal.reason as Error) : error;
  } finally {
    clearTimeout(timer);
  }
}

async function follow(start: URL, options: HttpGetOptions): Promise<string> {
  let url = start;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const headers = isTrusted(start, url) ? options.headers : withoutSecrets(options.headers);
    const answer = await request(url, { ...options, headers });
    const { statusCode = 0, headers: answered } = answer;
    if (statusCode === 200) return body(answer, options.maxBytes);
    answer.destroy();
    if (!REDIRECTS.has(statusCode) || answered.location === undefined) {
      throw new HttpGetError(`the server answers ${statusCode} ${answer.statusMessage ?? ''}`.trimEnd(), {
        retryable: true,
      });
    }
    url = target(answered.location, url);
  }
  throw new HttpGetError(`more than ${MOST_REDIRECTS} redirects`);
}

function target(location: string, from: URL): URL {
  const url = URL.parse(location, from.href);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new HttpGetError('the server redirects to what is no http or https address');
  }
  return url;
}

/** The host or one below it, and no step down from https to http. */
const isTrusted = (a: URL, b: URL): boolean =>
  (b.host === a.host || b.hostname.endsWith(`.${a.hostname}`)) &&
  (a.protocol === 'http:' || b.protocol === 'https:');

const withoutSecrets = (headers: HttpGetOptions['headers']): HttpGetOptions['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRET_HEADERS.has(name.toLowerCase())));

async function request(url: URL, options: HttpGetOptions): Promise<IncomingMessage> {
  // TLS is loaded when first needed: most nodes have no manifest URL.
  const secure = url.protocol === 'https:';
  const { get } = secure ? await import('node:https') : http;
  const ca = secure ? (options.ca ?? (await systemCertificates())) : undefined;
  const headers: Record<string, string[]> = { Accept: ['*/*'], 'User-Agent': ['nodelet'] };
  for (const [name, values] of Object.entries(options.headers)) headers[name] = [...values];
  return await new Promise((resolve, reject) => {
    const sent = get(url, {
      agent: false,
      headers,
      signal: options.signal,
      ...(ca === undefined ? {} : { ca: [...ca] }),
    });
    sent.on('response', resolve);
    sent.on('error', (cause) => {
      const reason: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
      reject(new HttpGetError('the server cannot be reached', { cause: reason, retryable: true }));
    });
  });
}

/** As Go does, trust what the machine trusts; Node's own list is the fallback of a machine without one. */
async function systemCertificates(): Promise<readonly string[]> {
  const { getCACertificates } = await import('node:tls');
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('bundled');
}

async function body(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > maxBytes) throw new HttpGetError(`the answer has more than ${maxBytes} bytes`);
    }
  } catch (cause) {
    if (cause instanceof HttpGetError) throw cause;
    throw new HttpGetError('the answer breaks off', { cause, retryable: true });
  }
  return decodeUtf8(Buffer.concat(chunks));
}

import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { request } from '#host/http.ts';
import { StreamingError } from './errors.ts';

/** Headers that the two ends of a session negotiate with. */
const negotiated = ['upgrade', 'x-stream-protocol-version', 'x-accepted-stream-protocol-versions'];

export interface Session {
  socket: Duplex;
  /** What the server sent right behind its headers. */
  head: Buffer;
  /** Headers of the 101 answer that concern the session. */
  headers: [name: string, value: string][];
}

/** The runtime gives the URL; anything but plain HTTP to a host and port is a runtime that we don't speak to. */
function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'http:' || url.hostname === '' || url.username !== '') {
    throw new StreamingError(
      'the runtime’s streaming server has no usable address (an http:// URL is needed; TLS streaming is not supported)',
    );
  }
  return url;
}

/**
 * Opens an upgraded connection to the runtime's streaming server. Rejects with StreamingError on any answer but
 * 101, whose connection is then closed: a redirect is never followed, nothing of the answer is passed on.
 */
export function openSession(
  streamUrl: string,
  protocols: readonly string[],
  signal: AbortSignal,
): Promise<Session> {
  const url = checkedUrl(streamUrl);
  const port = Number(url.port === '' ? 80 : url.port);
  // URL writes IPv6 hosts in brackets, sockets want them without.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve, reject) => {
    const outgoing = request({
      method: 'POST',
      path: `${url.pathname}${url.search}`,
      signal,
      headers: {
        host: url.host,
        connection: 'Upgrade',
        upgrade: 'SPDY/3.1',
        'content-length': '0',
        'x-stream-protocol-version': [...protocols],
      },
      createConnection: () => connect({ host, port, allowHalfOpen: true, noDelay: true }),
    });
    const fail = (problem: string, cause?: unknown): void => {
      outgoing.destroy();
      reject(new StreamingError(`the runtime’s streaming server ${problem}`, { cause }));
    };
    outgoing.once('upgrade', (answer: IncomingMessage, socket: Duplex, head: Buffer) => {
      const headers = negotiated.flatMap((name): [string, string][] => {
        const value = answer.headers[name];
        return value === undefined ? [] : [[name, String(value)]];
      });
      resolve({ socket, head, headers });
    });
    outgoing.once('response', (answer) => fail(`refused the session with status ${answer.statusCode ?? 0}`));
    outgoing.once('error', (cause) => {
      if (signal.aborted) reject(signal.reason as Error);
      else fail('can’t be reached', cause);
    });
    outgoing.end();
  });
}

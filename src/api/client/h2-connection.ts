import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { asError } from '#lib/errors.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { ConnectionError, TlsError, UnsentError } from './connection.ts';
import type { Carrier, HttpAnswer, HttpCall } from './connection.ts';

export interface H2Timing {
  /** Milliseconds between two PINGs while calls are open. */
  pingEveryMs: number;
  /** Milliseconds that a PING's answer may take; later the connection counts as dead. */
  pingTimeoutMs: number;
  /** Milliseconds without a call until the connection is closed. */
  idleMs: number;
}

const STREAM_WINDOW = 1 << 20;
const CONNECTION_WINDOW = 4 << 20;

/** One HTTP/2 connection. */
export class H2Connection implements Carrier {
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #timing: H2Timing;
  #open = 0;
  #isRetired = false;
  #failure: Error | undefined;
  /** The last call that the server has looked at, once it has said that it goes. */
  #lastStream = Infinity;
  #timer: Timer | undefined;

  private constructor(session: ClientHttp2Session, clock: Clock, timing: H2Timing) {
    this.#session = session;
    this.#clock = clock;
    this.#timing = timing;
    session.on('goaway', (_code: number, lastStream: number) => {
      this.#lastStream = lastStream;
    });
    this.#watchOver();
  }

  /**
   * Speaks HTTP/2 on a socket that has agreed to it. Resolves when the server has told its limits, so that no call
   * can be held back unseen. `closed` is called once it can carry nothing more.
   */
  static open(
    socket: Socket,
    origin: URL,
    context: {
      clock: Clock;
      timing: H2Timing;
      signal: AbortSignal;
      closed: (connection: H2Connection) => void;
    },
  ): Promise<H2Connection> {
    const { clock, timing, signal, closed } = context;
    return new Promise((resolve, reject) => {
      let made: H2Connection | undefined;
      let failure: Error | undefined;
      const session = connect(origin, {
        createConnection: () => socket,
        settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
        // In units of 1 MB; what many open watches hold counts.
        maxSessionMemory: 128,
      });
      const abort = (): void => session.destroy(asError(signal.reason));
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      session.on('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW));
      session.on('error', (error: Error) => {
        failure = error;
        if (made !== undefined) made.#failure ??= error;
      });
      session.once('remoteSettings', () => {
        signal.removeEventListener('abort', abort);
        made = new H2Connection(session, clock, timing);
        resolve(made);
      });
      session.once('close', () => {
        signal.removeEventListener('abort', abort);
        if (made === undefined) {
          const cause = failure ?? new ConnectionError('the server closes the connection');
          reject(signal.aborted ? asError(signal.reason) : new TlsError('TLS fails', { cause }));
          return;
        }
        made.#timer?.cancel();
        closed(made);
      });
    });
  }

  /** Whether it takes another call now. */
  get isFree(): boolean {
    return this.#isUsable && this.#open < (this.#session.remoteSettings.maxConcurrentStreams ?? Infinity);
  }

  get #isUsable(): boolean {
    return !this.#isRetired && !this.#session.closed && !this.#session.destroyed;
  }

  request(call: HttpCall): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      if (!this.#isUsable) {
        reject(new UnsentError('the connection is closing'));
        return;
      }
      const { signal } = call;
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const stream = this.#session.request(
        { ...call.headers, ':method': call.method, ':path': call.path },
        { endStream: call.body === undefined },
      );
      this.#opened();
      let failure: Error | undefined;
      const abort = (): void => {
        reject(signal.reason as Error);
        stream.close(constants.NGHTTP2_CANCEL);
        // What was received and not read would keep it from closing.
        stream.resume();
      };
      signal.addEventListener('abort', abort, { once: true });
      stream.on('error', (error: Error) => {
        failure = error;
      });
      stream.once('response', (headers) => resolve(toAnswer(headers, stream)));
      stream.once('close', () => {
        signal.removeEventListener('abort', abort);
        this.#closed();
        reject(this.#whyClosed(call.method, stream, failure));
      });
      if (call.body !== undefined) stream.end(call.body);
    });
  }

  retire(): void {
    this.#isRetired = true;
    this.#session.close();
  }

  destroy(error: Error): void {
    this.#isRetired = true;
    this.#failure ??= error;
    this.#session.destroy(error);
  }

  #whyClosed(method: string, stream: ClientHttp2Stream, failure: Error | undefined): ConnectionError {
    // A connection that the server closed while it lay idle; only what changes nothing may be said twice.
    const isStale = method === 'GET' && this.#session.destroyed && this.#failure === undefined;
    const isUnseen =
      isStale ||
      stream.id === undefined ||
      stream.id > this.#lastStream ||
      stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    const cause = this.#failure ?? failure;
    const options = cause === undefined ? {} : { cause };
    return isUnseen
      ? new UnsentError('the connection closed before the call was looked at', options)
      : new ConnectionError('the connection closed before an answer', options);
  }

  #opened(): void {
    this.#open += 1;
    if (this.#open === 1) this.#watchOver();
  }

  #closed(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#watchOver();
  }

  /** With calls open it must answer PINGs; without any it goes after a while. */
  #watchOver(): void {
    this.#timer?.cancel();
    const { pingEveryMs, idleMs } = this.#timing;
    if (this.#session.destroyed) return;
    this.#timer =
      this.#open === 0
        ? this.#clock.after(idleMs, () => this.retire())
        : this.#clock.after(pingEveryMs, () => this.#ping());
  }

  #ping(): void {
    if (this.#session.destroyed) return;
    const { pingTimeoutMs } = this.#timing;
    const late = this.#clock.after(pingTimeoutMs, () => {
      this.destroy(new ConnectionError(`the server answers no PING within ${pingTimeoutMs} ms`));
    });
    const isSent = this.#session.ping(() => {
      late.cancel();
    });
    if (!isSent) late.cancel();
    this.#watchOver();
  }
}

function toAnswer(headers: IncomingHttpHeaders, stream: ClientHttp2Stream): HttpAnswer {
  return {
    status: Number(headers[':status'] ?? 0),
    headers,
    body: stream,
    isWhole: () => stream.readableEnded && !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR,
  };
}

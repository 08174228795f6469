import { abortable } from '#lib/abortable.ts';
import type { Clock } from '#lib/clock.ts';
import { ConnectionError, UnsentError } from './connection.ts';
import type { Carrier, HttpAnswer, HttpCall } from './connection.ts';
import { H1Pool } from './h1-pool.ts';
import { H2Connection } from './h2-connection.ts';
import type { H2Timing } from './h2-connection.ts';
import { openSocket } from './open-socket.ts';
import type { Target } from './open-socket.ts';

export interface LaneContext {
  readonly server: URL;
  readonly target: Target;
  readonly clock: Clock;
  readonly timing: H2Timing;
  /** Milliseconds for TCP, TLS and the server's first word. */
  readonly connectMs: number;
  /** Connections of HTTP/1.1; as many as needed where it is Infinity. */
  readonly maxSockets: number;
}

/** Connections that no other lane uses. HTTP/2 where the server speaks it: one connection until its calls are full. */
export class Lane {
  readonly #context: LaneContext;
  readonly #connections = new Set<H2Connection>();
  #h1: H1Pool | undefined;
  #connecting: Promise<void> | undefined;
  readonly #stop = new AbortController();

  constructor(context: LaneContext) {
    this.#context = context;
    if (context.target.tls === undefined) this.#h1 = new H1Pool(context.target, context.maxSockets);
  }

  async request(call: HttpCall): Promise<HttpAnswer> {
    for (;;) {
      const carrier = this.#free();
      if (carrier !== undefined) return await carrier.request(call);
      this.#stop.signal.throwIfAborted();
      this.#connecting ??= this.#connect().finally(() => {
        this.#connecting = undefined;
      });
      await abortable(this.#connecting, call.signal);
    }
  }

  /** Takes no more calls; those under way go on. */
  retire(): void {
    this.#stop.abort(new UnsentError('the connection is being replaced'));
    for (const connection of this.#connections) connection.retire();
    this.#h1?.retire();
  }

  destroy(error: Error): void {
    this.#stop.abort(error);
    for (const connection of this.#connections) connection.destroy(error);
    this.#h1?.destroy(error);
  }

  #free(): Carrier | undefined {
    for (const connection of this.#connections) if (connection.isFree) return connection;
    return this.#h1;
  }

  async #connect(): Promise<void> {
    const { server, target, clock, timing, connectMs, maxSockets } = this.#context;
    const deadline = new AbortController();
    const timer = clock.after(connectMs, () => {
      deadline.abort(new ConnectionError(`no connection within ${connectMs} ms`));
    });
    const signal = AbortSignal.any([this.#stop.signal, deadline.signal]);
    try {
      const socket = await openSocket(target, ['h2', 'http/1.1'], signal);
      if (!('alpnProtocol' in socket) || socket.alpnProtocol !== 'h2') {
        socket.on('error', () => undefined).destroy();
        this.#h1 = new H1Pool(target, maxSockets);
        return;
      }
      const closed = (connection: H2Connection): void => void this.#connections.delete(connection);
      const connection = await H2Connection.open(socket, server, { clock, timing, signal, closed });
      if (this.#stop.signal.aborted) connection.retire();
      // Otherwise whoever waits would connect again and again.
      else if (!connection.isFree) throw new ConnectionError('the server takes no calls');
      else this.#connections.add(connection);
    } finally {
      timer.cancel();
    }
  }
}

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { STATUS_CODES } from '#host/http.ts';
import type { Logger } from '#lib/logger.ts';
import type { ErrorBody } from './api.ts';
import { errorBody } from './error-body.ts';
import { BadRequestError } from './errors.ts';
import { execOptions } from './query.ts';
import { relay } from './relay.ts';
import { openSession } from './streaming.ts';
import type { NodeView } from './view.ts';

/** From the request to the runtime's 101 answer. */
const setupDeadlineMs = 30_000;

export interface ExecTarget {
  namespace: string;
  name: string;
  query: URLSearchParams;
}

/** Upgrades requests to exec sessions and relays them to the runtime. */
export class ExecRelay {
  readonly #view: NodeView;
  readonly #logger: Logger;
  readonly #open = new Set<Duplex>();

  constructor(view: NodeView, logger: Logger) {
    this.#view = view;
    this.#logger = logger;
  }

  /** Sessions under way, for tests and diagnosis. */
  get sessions(): number {
    return this.#open.size;
  }

  async serve(request: IncomingMessage, client: Duplex, head: Buffer, target: ExecTarget): Promise<void> {
    this.#open.add(client);
    const gone = new AbortController();
    client.once('close', () => {
      this.#open.delete(client);
      gone.abort(new BadRequestError('the client has gone'));
    });
    client.on('error', () => client.destroy());
    try {
      if ((request.headers.upgrade ?? '').toLowerCase() !== 'spdy/3.1') {
        throw new BadRequestError('exec needs the header Upgrade: SPDY/3.1');
      }
      const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(setupDeadlineMs)]);
      const options = execOptions(target.query);
      const url = await this.#view.exec(target.namespace, target.name, options, signal);
      const protocols = request.headersDistinct['x-stream-protocol-version'] ?? [];
      const session = await openSession(url, protocols, signal);
      if (client.destroyed) {
        session.socket.destroy();
        return;
      }
      const headers = [['connection', 'Upgrade'], ...session.headers];
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`);
      if (session.head.length > 0) client.write(session.head);
      if (head.length > 0) session.socket.write(head);
      relay(client, session.socket);
    } catch (error) {
      this.#logger.debug({ err: error, pod: `${target.namespace}/${target.name}` }, 'exec refused');
      refuse(client, errorBody(error));
    }
  }

  /** Ends every session at once. */
  stop(): void {
    for (const client of this.#open) client.destroy();
  }
}

/** A whole HTTP answer on a connection that the HTTP server has let go of. */
export function refuse(client: Duplex, body: ErrorBody): void {
  const text = JSON.stringify(body);
  client.end(
    `HTTP/1.1 ${body.code} ${STATUS_CODES[body.code] ?? 'Error'}\r\n` +
      'content-type: application/json\r\nconnection: close\r\n' +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  client.resume();
  const deadline = setTimeout(() => client.destroy(), 1000);
  client.once('finish', () => client.destroy());
  client.once('close', () => clearTimeout(deadline));
}

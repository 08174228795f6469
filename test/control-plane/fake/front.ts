import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

interface Pair {
  client: Socket;
  server: Socket;
}

/**
 * The TCP listener before a server that listens on a Unix socket: it can go deaf, cut connections, and be gone, while
 * the server behind it knows nothing of it.
 */
export class Front {
  readonly #socketPath: string;
  readonly #address: string;
  #port: number;
  #server: Server | undefined;
  readonly #pairs = new Set<Pair>();
  readonly #deaf = new Set<Socket>();
  #isDeaf = false;

  constructor(socketPath: string, address: string, port: number) {
    this.#socketPath = socketPath;
    this.#address = address;
    this.#port = port;
  }

  /** Once it has listened, that stays. */
  get port(): number {
    return this.#port;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((client) => this.#accept(client));
    server.listen(this.#port, this.#address);
    await once(server, 'listening');
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#server = server;
  }

  /** New connections are refused and those that are open are reset. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    this.cut();
    await closed;
  }

  /** The connections that are open now go deaf for good, as where a firewall has forgotten them; new ones are well. */
  freeze(): void {
    for (const { client, server } of this.#pairs) {
      client.unpipe(server);
      server.unpipe(client);
      client.pause();
      server.pause();
      this.#deaf.add(client);
      client.on('close', () => this.#deaf.delete(client));
    }
    this.#pairs.clear();
  }

  /** Resets all connections. */
  cut(): void {
    for (const socket of this.#deaf) socket.resetAndDestroy();
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
    this.#deaf.clear();
    this.#pairs.clear();
  }

  /** From now on nothing is read or sent on any connection, new ones (still accepted) included. */
  goDeaf(): void {
    this.#isDeaf = true;
    for (const { client, server } of this.#pairs) {
      client.unpipe(server);
      server.unpipe(client);
      client.pause();
      server.pause();
    }
  }

  /** Ends goDeaf(): connections go on where they were, but for those that began in the meantime; they are reset. */
  hear(): void {
    if (!this.#isDeaf) return;
    this.#isDeaf = false;
    for (const socket of this.#deaf) socket.resetAndDestroy();
    this.#deaf.clear();
    for (const { client, server } of this.#pairs) {
      client.pipe(server);
      server.pipe(client);
    }
  }

  #accept(client: Socket): void {
    client.setNoDelay(true);
    client.on('error', () => undefined);
    if (this.#isDeaf) {
      client.pause();
      this.#deaf.add(client);
      client.on('close', () => this.#deaf.delete(client));
      return;
    }
    const server = createConnection(this.#socketPath);
    const pair = { client, server };
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    server.on('error', end);
    client.on('close', end);
    server.on('close', end);
    client.pipe(server);
    server.pipe(client);
  }
}

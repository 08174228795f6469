import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Forwards TCP, until it is frozen: then connections stay open and nothing goes through, as when a path dies. */
export class FreezableProxy {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #isFrozen = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(port: number): Promise<FreezableProxy> {
    const server = createServer();
    const proxy = new FreezableProxy(server);
    server.on('connection', (client) => {
      const upstream = connect(port, '127.0.0.1');
      const pair: [Socket, Socket] = [client, upstream];
      proxy.#pairs.add(pair);
      for (const [from, to] of [pair, [upstream, client]] as const) {
        from.on('error', () => undefined);
        from.on('data', (chunk: Buffer) => to.write(chunk));
        from.once('close', () => {
          proxy.#pairs.delete(pair);
          to.destroy();
        });
        if (proxy.#isFrozen) from.pause();
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Freezes the connections there are; new ones go through unless `newToo`. */
  freeze(newToo = false): void {
    this.#isFrozen = newToo;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await closed;
  }
}

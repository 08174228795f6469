import type { Clock } from '#lib/clock.ts';
import type { Lane as LaneName } from '#lib/kube/client.ts';
import type { TlsMaterial } from '../credentials.ts';
import { ConnectionError } from './connection.ts';
import type { HttpAnswer, HttpCall } from './connection.ts';
import type { H2Timing } from './h2-connection.ts';
import { Lane } from './lane.ts';
import { makeTarget } from './open-socket.ts';
import type { Target } from './open-socket.ts';

/** Watches last for minutes and are many: they keep away from calls that somebody waits for. */
export type TransportLane = LaneName | 'watch';

const MAX_SOCKETS: Readonly<Record<TransportLane, number>> = {
  lease: 2,
  status: 4,
  events: 2,
  general: 8,
  watch: Infinity,
};

export interface TransportOptions {
  readonly server: URL;
  readonly clock: Clock;
  readonly timing?: Partial<H2Timing> & { connectMs?: number };
}

/** All connections to the API server. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #lanes = new Map<TransportLane, Lane>();
  #target: Target | undefined;
  #material: TlsMaterial | undefined;
  #isClosed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** One exchange over connections that were made with this material. Rejects with ConnectionError. */
  async request(name: TransportLane, material: TlsMaterial, call: HttpCall): Promise<HttpAnswer> {
    if (this.#isClosed) throw new ConnectionError('the client is closed');
    return await this.#lane(name, this.#targetFor(material)).request(call);
  }

  /** Ends every connection and what goes over it; the next call makes new ones. */
  dropAll(error: Error): void {
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    for (const lane of lanes) lane.destroy(error);
  }

  drop(name: TransportLane, error: Error): void {
    const lane = this.#lanes.get(name);
    this.#lanes.delete(name);
    lane?.destroy(error);
  }

  /** New connections from now on. Calls under way end in their own time; watches, which wouldn't, end now. */
  renew(): void {
    this.drop('watch', new ConnectionError('connections are made anew with other credentials'));
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    for (const lane of lanes) lane.retire();
  }

  close(): void {
    this.#isClosed = true;
    this.dropAll(new ConnectionError('the client is closed'));
  }

  #targetFor(material: TlsMaterial): Target {
    if (this.#target === undefined || this.#material !== material) {
      const target = makeTarget(this.#options.server, material);
      if (this.#target !== undefined) this.renew();
      this.#target = target;
      this.#material = material;
    }
    return this.#target;
  }

  #lane(name: TransportLane, target: Target): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const { server, clock, timing } = this.#options;
      lane = new Lane({
        server,
        target,
        clock,
        timing: { pingEveryMs: 15_000, pingTimeoutMs: 10_000, idleMs: 90_000, ...timing },
        connectMs: timing?.connectMs ?? 10_000,
        maxSockets: MAX_SOCKETS[name],
      });
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}

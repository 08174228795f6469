import { type Clock, sleep } from '#lib/clock.ts';
import { ApiError, isApiNotFound } from '#lib/kube/api-error.ts';
import { type KubeClient, resources } from '#lib/kube/client.ts';
import { isRetryable } from '#lib/errors.ts';
import type { Event } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { EventCorrelator, type EventWrite } from './correlator.ts';

export interface EventSinkParts {
  client: Pick<KubeClient, 'create' | 'patch'>;
  clock: Clock;
  log: Logger;
}

/** What waits to be written; what comes when it is full is dropped. */
const CAPACITY = 1000;
/** After so many failed tries, some two minutes, an event is dropped. */
const TRIES = 14;
const LONGEST_RETRY_MS = 10_000;

/** Writes events to the API server, one after the other, in a lane of their own. Never blocks and never throws. */
export class EventSink {
  readonly #parts: EventSinkParts;
  readonly #correlator: EventCorrelator;
  readonly #waiting: Event[] = [];
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** How many were dropped: since too many came, or the server did not take them. */
  dropped = 0;

  constructor(parts: EventSinkParts) {
    this.#parts = parts;
    this.#correlator = new EventCorrelator(parts.clock);
  }

  /** Takes an event as it happened, with a count of 1. */
  send(event: Event): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#waiting.length >= CAPACITY) {
      this.dropped++;
      return;
    }
    this.#waiting.push(event);
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the agent stops'));
    await this.#running;
  }

  async #run(): Promise<void> {
    // Whoever sent the first event may send more before it waits.
    await Promise.resolve();
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      const write = this.#correlator.correlate(event);
      if (write === undefined) continue;
      try {
        await this.#write(write);
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        this.dropped++;
        this.#parts.log.debug({ err: error, reason: event.reason }, 'an event could not be written');
      }
    }
    this.#running = undefined;
  }

  async #write(write: EventWrite): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#stopping;
    for (let failures = 0; ;) {
      try {
        await this.#try(write);
        return;
      } catch (error) {
        failures++;
        if (signal.aborted || !isRetryable(error) || failures >= TRIES) throw error;
        const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
        await sleep(clock, Math.max(Math.min(1000 * 2 ** (failures - 1), LONGEST_RETRY_MS), asked), signal);
      }
    }
  }

  async #try({ event, patch }: EventWrite): Promise<void> {
    const { client } = this.#parts;
    const { namespace = 'default', name = '' } = event.metadata;
    const call = { signal: this.#stopping.signal, lane: 'events' } as const;
    if (patch !== undefined) {
      try {
        await client.patch(resources.events, { namespace, name }, { type: 'strategic', body: patch }, call);
        return;
      } catch (error) {
        // Events live for an hour: the one that is counted may be gone.
        if (!isApiNotFound(error)) throw error;
      }
    }
    await client.create(resources.events, { namespace }, event, call);
  }
}

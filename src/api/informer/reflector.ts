import { LinkedAbort } from '#lib/abortable.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { DeadlineError, asError, describeError } from '#lib/errors.ts';
import { ApiError, isApiGone } from '#lib/kube/api-error.ts';
import type { ApiObject, ListSelection, Resource } from '#lib/kube/client.ts';
import type { Logger } from '#lib/logger.ts';
import { retryDelays } from '#lib/retry-schedule.ts';
import type { ServerReturn } from '../client/server-return.ts';
import type { ListWatchClient, WatchEvent } from '../client/watch-stream.ts';
import type { InformerMetrics, RestartReason } from './informer-metrics.ts';
import { listAll } from './list-all.ts';

export interface ReflectorContext {
  readonly client: ListWatchClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: InformerMetrics;
  /** Milliseconds before the first repetition of what failed; 800 unless given, as upstream. */
  readonly firstRetryMs?: number;
  /** Cuts waits short for a server that did not answer. */
  readonly serverReturn?: Pick<ServerReturn, 'wait'>;
}

/** Takes what a reflector sees; must not throw. */
export interface Sink<T> {
  /** A whole list. */
  replace(items: T[]): void;
  /** What a watch brought, bookmarks left out; never empty. */
  apply(events: WatchEvent<T>[]): void;
  /** A try failed, or things go well again after one did. */
  troubleChanged(): void;
}

/** Servers send a bookmark about every minute; some send none, so silence alone is no fault. */
const SILENCE_MS = 90_000;
/** A watch that ends sooner, without a word, is treated as a failure, as upstream does. */
const SHORT_MS = 1000;
/** A watch that lived this long was a good one. */
const STEADY_MS = 30_000;
const BACKOFF = { initialMs: 800, maxMs: 30_000, jitter: 1 };

class SilenceError extends DeadlineError {}

/**
 * Keeps a sink in step with what the server has: lists, watches from there, and goes on after every fault until its
 * signal aborts. Lists again only where the watch can't go on: its version has expired, or it ended with an error.
 */
export class Reflector<T extends ApiObject> {
  readonly #context: ReflectorContext;
  readonly #resource: Resource;
  readonly #selection: ListSelection;
  readonly #sink: Sink<T>;
  readonly #logger: Logger;
  /** From where to watch; undefined: list first. */
  #version: string | undefined;
  /** The first list may come from the server's cache, later ones must not: the cache may be what expired. */
  #hasListed = false;
  #delays: Iterator<number, void>;
  #lastContact: number | undefined;
  #trouble: Error | undefined;

  constructor(context: ReflectorContext, resource: Resource, selection: ListSelection, sink: Sink<T>) {
    this.#context = context;
    this.#resource = resource;
    this.#selection = selection;
    this.#sink = sink;
    this.#logger = context.logger.child({ resource: resource.plural });
    this.#delays = this.#freshDelays();
  }

  get lastContact(): number | undefined {
    return this.#lastContact;
  }

  get trouble(): Error | undefined {
    return this.#trouble;
  }

  /** Resolves once `signal` has aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const wait = await this.#step(signal);
      if (wait > 0 && !signal.aborted) await this.#pause(wait, signal).catch(() => undefined);
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock, serverReturn } = this.#context;
    const isUnanswered = this.#trouble instanceof ApiError && this.#trouble.status === 0;
    return isUnanswered && serverReturn !== undefined
      ? serverReturn.wait(ms, signal)
      : sleep(clock, ms, signal);
  }

  /** Lists or watches once; returns how long to wait before the next step, in milliseconds. */
  async #step(signal: AbortSignal): Promise<number> {
    try {
      if (this.#version === undefined) {
        await this.#list(signal);
        return 0;
      }
      return await this.#watch(this.#version, signal);
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(asError(error));
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, metrics } = this.#context;
    const contact = (): void => this.#contact();
    const options = { fromCache: !this.#hasListed, signal, contact };
    const { items, resourceVersion } = await listAll<T>(client, this.#resource, this.#selection, options);
    if (signal.aborted) return;
    this.#hasListed = true;
    this.#version = resourceVersion;
    metrics.listed(this.#resource);
    this.#wentWell();
    this.#sink.replace(items);
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<number> {
    const { client, clock, random } = this.#context;
    const began = clock.monotonic();
    let isOpen = false;
    let hasSpoken = false;
    using silence = new Silence(signal, clock);
    try {
      await client.watch<T>(this.#resource, this.#selection, {
        resourceVersion,
        timeoutSeconds: Math.floor(300 + 300 * random()),
        signal: silence.signal,
        opened: () => {
          isOpen = true;
          silence.start();
          this.#contact();
          this.#wentWell();
        },
        events: (events) => {
          if (signal.aborted) return;
          silence.start();
          this.#contact();
          if (!hasSpoken) this.#delays = this.#freshDelays();
          hasSpoken = true;
          this.#take(events);
        },
      });
    } catch (error) {
      if (signal.aborted) return 0;
      if (silence.isUp) return this.#again('silent', 0);
      const lived = clock.monotonic() - began;
      if (lived >= STEADY_MS) this.#delays = this.#freshDelays();
      // A broken connection says nothing about the version: on from there, and at once if the watch was a good one.
      const isBroken = error instanceof ApiError && error.status === 0;
      if (isBroken && lived >= SHORT_MS && isOpen) return this.#again('failed', 0);
      if (isBroken && hasSpoken) return this.#again('failed', this.#delay());
      throw error;
    }
    const lived = clock.monotonic() - began;
    if (lived >= SHORT_MS) return this.#again('ended', 0);
    if (hasSpoken) return this.#again('ended', this.#delay());
    throw new ApiError({
      status: 0,
      reason: '',
      message: 'the server ended the watch as soon as it had begun',
    });
  }

  #again(reason: RestartReason, delay: number): number {
    this.#context.metrics.restarted(this.#resource, reason);
    return delay;
  }

  #take(events: WatchEvent<T>[]): void {
    this.#version = events.at(-1)?.object.metadata?.resourceVersion ?? this.#version;
    const changes = events.filter((event) => event.type !== 'BOOKMARK');
    if (changes.length > 0) this.#sink.apply(changes);
  }

  #failed(error: Error): number {
    const { metrics } = this.#context;
    const wasWatching = this.#version !== undefined;
    if (isApiGone(error)) {
      this.#version = undefined;
      metrics.restarted(this.#resource, 'expired');
      this.#logger.debug({}, 'the watch is too far behind; listing again');
      return this.#delay();
    }
    // A refusal of the watch itself: its version may be what the server doesn't like.
    const isRefusal = error instanceof ApiError && error.status >= 400 && !isLater(error);
    if (wasWatching && isRefusal) this.#version = undefined;
    if (wasWatching) metrics.restarted(this.#resource, 'failed');
    this.#trouble = error;
    const retryAfter = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const delay = Math.max(this.#delay(), retryAfter);
    const fields = { reason: describeError(error), retryInMs: Math.round(delay) };
    this.#logger.debug(fields, wasWatching ? 'the watch fails' : 'the list fails');
    this.#sink.troubleChanged();
    return delay;
  }

  #wentWell(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#sink.troubleChanged();
  }

  #contact(): void {
    const { clock, metrics } = this.#context;
    this.#lastContact = clock.now();
    metrics.contact(this.#resource, this.#lastContact);
  }

  #freshDelays(): Iterator<number, void> {
    const { random, firstRetryMs = BACKOFF.initialMs } = this.#context;
    return retryDelays({ ...BACKOFF, initialMs: firstRetryMs }, random);
  }

  #delay(): number {
    return this.#delays.next().value ?? BACKOFF.maxMs;
  }
}

/** "Not now", said of anything that one may ask. */
const isLater = ({ status }: ApiError): boolean => [429, 502, 503, 504].includes(status);

/** Aborts when nothing has come for too long since `start`; counts anew with every start. */
class Silence extends LinkedAbort {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #isUp = false;

  constructor(outer: AbortSignal, clock: Clock) {
    super(outer);
    this.#clock = clock;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  start(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(SILENCE_MS, () => {
      this.#isUp = true;
      this.abort(new SilenceError(`nothing came within ${SILENCE_MS} ms`));
    });
  }

  override [Symbol.dispose](): void {
    this.#timer?.cancel();
    super[Symbol.dispose]();
  }
}

import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { runtimeStatus } from './errors.ts';
import { Pauses } from './pauses.ts';
import type { RuntimeService } from './runtime.ts';
import { EMPTY_SNAPSHOT, changedPods, snapshotOf } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';
import type { ContainerEvent } from './types.ts';

/** Neither may throw, block or do the work itself: containerd waits for a slow subscriber. */
export interface PodChangeHandlers {
  /** The pod may have changed; only a status read that begins from now on tells. */
  onChange(podUid: string): void;
  /** The runtime answers again after it was away or its event stream broke: anything may have changed. */
  onReconnect(): void;
}

export interface PodChangesOptions {
  runtime: Pick<RuntimeService, 'listPodSandbox' | 'listContainers' | 'containerEvents'>;
  clock: Clock;
  logger: Logger;
  handlers: PodChangeHandlers;
  /** Between two lists while events arrive; 30,000 unless given. */
  slowMs?: number;
  /** Between two lists while there are no events; 1,000 unless given. */
  fastMs?: number;
}

/** How the runtime's lists fare: what shows a runtime that hangs. Times are wall milliseconds. */
export interface RelistHealth {
  /** Whether changes come by event, or are found by listing only. */
  events: boolean;
  lastSuccess: number | undefined;
  /** When the list that has not been answered yet was asked for. */
  inFlightSince: number | undefined;
  /** Lists that failed since the last success, and why the last one did. */
  failures: number;
  lastError: string | undefined;
}

/** From when a stream counts as working: an old runtime refuses it, a misconfigured one ends it, at once. */
const TRUST_MS = 2000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 300_000;

/**
 * Tells which pods may have changed: by the runtime's events where it has them, and by comparing its lists, each
 * 30 s beside working events, each second without. Never two lists at once. What it tells are hints: it forgets
 * nothing for long, but may tell late or without need.
 */
export class PodChanges {
  readonly #options: PodChangesOptions;
  readonly #lists: Pauses;
  readonly #retries: Pauses;
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  #interrupted = false;
  #events = false;
  #lastSuccess: number | undefined;
  #inFlightSince: number | undefined;
  #failures = 0;
  #lastError: string | undefined;

  constructor(options: PodChangesOptions) {
    this.#options = options;
    this.#lists = new Pauses(options.clock);
    this.#retries = new Pauses(options.clock);
  }

  get health(): RelistHealth {
    return {
      events: this.#events,
      lastSuccess: this.#lastSuccess,
      inFlightSince: this.#inFlightSince,
      failures: this.#failures,
      lastError: this.#lastError,
    };
  }

  /** Works until the signal aborts; never rejects. The first list reports every pod that the runtime knows. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#subscribe(signal), this.#relist(signal)]);
  }

  async #relist(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#listOnce(signal);
      const { slowMs = 30_000, fastMs = 1000 } = this.#options;
      await this.#lists.pause(this.#events && this.#failures === 0 ? slowMs : fastMs, signal);
    }
  }

  async #listOnce(signal: AbortSignal): Promise<void> {
    const { runtime, clock, logger, handlers } = this.#options;
    this.#inFlightSince = clock.now();
    try {
      const [sandboxes, containers] = await Promise.all([
        runtime.listPodSandbox(undefined, { signal }),
        runtime.listContainers(undefined, { signal }),
      ]);
      const before = this.#snapshot;
      this.#snapshot = snapshotOf(sandboxes, containers);
      this.#lastSuccess = clock.now();
      if (this.#failures > 0) {
        logger.info({ failures: this.#failures }, 'the container runtime answers again');
        this.#retries.wake();
      }
      this.#failures = 0;
      this.#lastError = undefined;
      if (this.#interrupted) {
        this.#interrupted = false;
        handlers.onReconnect();
      }
      for (const uid of changedPods(before, this.#snapshot)) handlers.onChange(uid);
    } catch (error) {
      if (signal.aborted) return;
      this.#interrupted = true;
      this.#failures += 1;
      this.#lastError = describeError(error);
      if (this.#failures === 1) logger.warn({ err: error }, 'the container runtime does not list its pods');
    } finally {
      this.#inFlightSince = undefined;
    }
  }

  async #subscribe(signal: AbortSignal): Promise<void> {
    const { runtime, clock, logger } = this.#options;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      const trust = clock.after(TRUST_MS, () => {
        this.#events = true;
        retryMs = FIRST_RETRY_MS;
        // Nothing says when the subscription took hold; what happened before it shows in this list.
        this.#lists.wake();
      });
      try {
        await runtime.containerEvents((event) => this.#onEvent(event), signal);
      } catch (error) {
        if (runtimeStatus(error) === 'UNIMPLEMENTED') {
          if (retryMs !== LAST_RETRY_MS)
            logger.info({}, 'the container runtime has no events: listing instead');
          // Asked again, seldom and after each outage: the runtime may be replaced by a newer one under us.
          retryMs = LAST_RETRY_MS;
        } else {
          this.#interrupted = true;
          if (this.#events) logger.warn({ err: error }, "the container runtime's event stream broke");
        }
      }
      trust.cancel();
      this.#events = false;
      if (signal.aborted) return;
      this.#lists.wake();
      const woken = await this.#retries.pause(retryMs, signal);
      retryMs = woken ? FIRST_RETRY_MS : Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  }

  #onEvent(event: ContainerEvent): void {
    // containerd 1.7 doesn't say whose a removed sandbox was.
    const uid = event.podUid ?? this.#snapshot.owners.get(event.containerId);
    if (uid === undefined) this.#lists.wake();
    else this.#options.handlers.onChange(uid);
  }
}

import type { RuntimeService } from '#cri/runtime.ts';
import { type Clock, type Timer, sleep } from '#lib/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { GarbageCollector } from './gc/garbage-collector.ts';
import type { PodWorkers } from './pod/pod-workers.ts';
import type { RecordStore } from './pod/record-store.ts';
import { type FoundPod, asPod, findPods } from './runtime-pods.ts';

export interface HousekeepingParts {
  runtime: RuntimeService;
  records: RecordStore;
  workers: PodWorkers;
  collector: GarbageCollector;
  /** Brings what all pods share of the processor up to date with the pods there are. */
  syncCgroups(): Promise<void>;
  /**
   * Whether every source has been seen that may want a pod of this origin (undefined: any source), before which nothing
   * is known to be unwanted.
   */
  isComplete(origin: string | undefined): boolean;
  clock: Clock;
  log: Logger;
}

const INTERVAL_MS = 60_000;
/** Hints come in bursts. */
const SOON_MS = 200;
/** Upstream's grace period for a pod of which nothing but its containers is known. */
const ORPHAN_GRACE_SECONDS = 1;

/** Ends pods that nobody wants (any more) and removes what they left: at start, each minute, and when asked. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;
  readonly #stopping = new AbortController();
  #wanted: { uids: ReadonlySet<string>; complete: string } | undefined;
  #timer: Timer | undefined;
  #due = Infinity;
  #running: Promise<void> | undefined;
  #lastCollection = -Infinity;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#at(0);
  }

  /** Takes what the sources want: where pods have left it, or it has become whole, something may be there to end. */
  setWanted(pods: readonly AgentPod[]): void {
    const before = this.#wanted;
    const uids = new Set(pods.map((pod) => pod.metadata.uid));
    const complete = `${this.#parts.isComplete(undefined)} ${this.#parts.isComplete('file')}`;
    this.#wanted = { uids, complete };
    if (complete !== before?.complete || [...before.uids].some((uid) => !uids.has(uid))) this.lookSoon();
  }

  /** Something of a pod that no worker knows was seen. */
  lookSoon(): void {
    this.#at(SOON_MS);
  }

  /** Looks until nothing of any pod is left; rejects with the signal's reason. */
  async untilEmpty(signal: AbortSignal): Promise<void> {
    const { runtime, records, workers, clock } = this.#parts;
    while (workers.uids().size > 0 || (await findPods(runtime, records, signal)).size > 0) {
      this.lookSoon();
      await sleep(clock, SOON_MS, signal);
    }
    await this.#running;
    await this.#parts.collector.run(signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    await this.#running;
  }

  #at(delayMs: number): void {
    const due = this.#parts.clock.monotonic() + delayMs;
    if (this.#stopping.signal.aborted || due >= this.#due) return;
    this.#due = due;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(delayMs, () => this.#wake());
  }

  #wake(): void {
    if (this.#running !== undefined) {
      this.#due = Infinity;
      this.#at(SOON_MS);
      return;
    }
    this.#due = Infinity;
    this.#running = this.#look()
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          this.#parts.log.warn({ err: error }, 'housekeeping failed; trying again');
      })
      .finally(() => {
        this.#running = undefined;
        this.#at(INTERVAL_MS);
      });
  }

  async #look(): Promise<void> {
    const { runtime, records, workers, collector, clock } = this.#parts;
    const { signal } = this.#stopping;
    const found = await findPods(runtime, records, signal, (uid) => workers.has(uid));
    workers.retainEarlier(found);
    for (const each of found.values()) this.#endUnwanted(each);
    if (!this.#parts.isComplete(undefined)) return;
    await this.#parts.syncCgroups();
    if (clock.monotonic() - this.#lastCollection < INTERVAL_MS - 1000) return;
    this.#lastCollection = clock.monotonic();
    await collector.run(signal);
  }

  #endUnwanted(found: FoundPod): void {
    const { workers, log } = this.#parts;
    if (workers.has(found.uid) || !this.#parts.isComplete(found.source)) return;
    const pod = asPod(found);
    const grace =
      found.record === undefined ? ORPHAN_GRACE_SECONDS : (pod.spec.terminationGracePeriodSeconds ?? 30);
    log.info(
      { uid: found.uid, pod: `${found.namespace}/${found.name}` },
      'ending a pod that nothing wants any more',
    );
    workers.endOrphan(pod, { gracePeriodSeconds: grace, forget: true });
  }
}

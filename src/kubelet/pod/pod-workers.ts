import type { Clock } from '#lib/clock.ts';
import { asError } from '#lib/errors.ts';
import { KeyedQueue } from '#lib/keyed-queue.ts';
import { type AgentPod, fullName } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import type { Logger } from '#lib/logger.ts';
import { apiTime } from '../status/time.ts';
import type { Ending } from './decision.ts';
import type { PodContext } from './pod-context.ts';
import type { PodWorker } from './pod-worker.ts';
import { newRecord } from './record.ts';
import type { RecordStore } from './record-store.ts';
import { isSamePod } from './same-pod.ts';

export interface WorkersParts {
  worker: PodWorker;
  records: RecordStore;
  clock: Clock;
  log: Logger;
  /** The first attempt that each container's log files leave free; empty where there are none. */
  logFloor(pod: AgentPod): Promise<Map<string, number>>;
}

/** A pod as the agent has it now. */
export interface PodSnapshot {
  context: PodContext;
  waits: Wait[];
}

interface Entry {
  context: PodContext;
  /** Ends the round under way where it waits for a container to stop. */
  interrupt: AbortController;
}

/** Why a round was interrupted: something about the pod changed that can't wait. */
class Interrupted extends Error {}

/** How long a pod waits for a runtime that doesn't answer before it asks again. */
const RUNTIME_RETRY_MS = 2000;

/**
 * All pods of the node, each under its UID with at most one round at a time. Pods of one name take turns: the next
 * begins when nothing is left of the one before.
 */
export class PodWorkers {
  readonly #parts: WorkersParts;
  readonly #queue: KeyedQueue;
  readonly #entries = new Map<string, Entry>();
  /** What is wanted: the pods of all sources, by UID. */
  #desired = new Map<string, AgentPod>();
  #arrivals = 0;
  readonly #troubles = new Map<string, string>();

  constructor(parts: WorkersParts) {
    this.#parts = parts;
    this.#queue = new KeyedQueue(parts.clock, (uid) => this.#round(uid));
  }

  /** Takes the whole set of wanted pods: new ones start, and pods no longer in it end for good. */
  setDesired(pods: readonly AgentPod[]): void {
    this.#desired = new Map(pods.map((pod) => [pod.metadata.uid, pod]));
    for (const [uid, { context }] of this.#entries) {
      const wanted = this.#desired.get(uid);
      // A manifest may fix its pod's UID: then an edit comes under the old one, and the pods take turns all the same.
      if (context.ending !== undefined || (wanted !== undefined && isSamePod(wanted, context.pod))) continue;
      this.end(uid, {
        gracePeriodSeconds: context.pod.spec.terminationGracePeriodSeconds ?? 30,
        forget: true,
      });
    }
    this.#admit();
  }

  /** Ends a pod of an earlier run of the agent that nobody wants any more. */
  endOrphan(pod: AgentPod, ending: Ending): void {
    const { uid } = pod.metadata;
    if (this.#entries.has(uid) || this.#desired.has(uid)) return;
    this.#start(pod);
    this.end(uid, ending);
  }

  /** Ends a pod, or ends it sooner; a grace period is never lengthened. */
  end(uid: string, ending: Ending): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    const { context } = entry;
    const before = context.ending;
    context.ending = {
      gracePeriodSeconds: Math.min(ending.gracePeriodSeconds, before?.gracePeriodSeconds ?? Infinity),
      forget: ending.forget || before?.forget === true,
    };
    const now = this.#endNow(context.ending);
    context.record.terminating = { ...now, since: context.record.terminating?.since ?? now.since };
    entry.interrupt.abort(new Interrupted('the pod is to end'));
    entry.interrupt = new AbortController();
    this.#queue.add(uid);
  }

  /** Something about the pod may have changed: look at it now. Unknown UIDs are ignored. */
  markDirty(uid: string): void {
    if (this.#entries.has(uid)) this.#queue.add(uid);
  }

  markAllDirty(): void {
    for (const uid of this.#entries.keys()) this.#queue.add(uid);
  }

  /** The UIDs of all pods that are wanted or still being ended. */
  uids(): ReadonlySet<string> {
    return new Set([...this.#desired.keys(), ...this.#entries.keys()]);
  }

  /** The pods that have not come to their end by themselves. */
  activePods(): AgentPod[] {
    const contexts = [...this.#entries.values()].map(({ context }) => context);
    return contexts.filter(({ record }) => record.terminal === undefined).map(({ pod }) => pod);
  }

  /** Whether this ID is a pod that is looked after, or the newest instance of one of its containers. */
  uses(id: string): boolean {
    if (this.#entries.has(id)) return true;
    for (const { context } of this.#entries.values()) {
      const { sight } = context;
      if (sight?.views.some((view) => view.current?.id === id) === true) return true;
    }
    return false;
  }

  has(uid: string): boolean {
    return this.#entries.has(uid);
  }

  /** Runs `work` while nobody looks after the pod. */
  exclusively<T>(uid: string, work: () => Promise<T>): Promise<T> {
    return this.#queue.exclusively(uid, work);
  }

  /** How many pods are being looked after at this moment. */
  get busy(): number {
    return this.#queue.running;
  }

  /** The pods that run or end, then those that wait for their name. */
  snapshots(): PodSnapshot[] {
    const known = [...this.#entries.values()].map(({ context }) => ({
      context,
      waits: this.#waitsOf(context),
    }));
    const names = new Map(known.map((each) => [fullName(each.context.pod), each.context]));
    const waiting = [...this.#desired.values()]
      .filter((pod) => !this.#entries.has(pod.metadata.uid))
      .map((pod) => ({
        context: this.#contextOf(pod, Infinity),
        waits: turnWait(pod, names.get(fullName(pod))),
      }));
    return [...known, ...waiting];
  }

  /** Stops all rounds; pods and their containers stay as they are. */
  async stop(): Promise<void> {
    for (const entry of this.#entries.values()) entry.interrupt.abort(new Interrupted('the agent stops'));
    await this.#queue.stop();
  }

  /** Starts every wanted pod whose name is free. */
  #admit(): void {
    const taken = new Set([...this.#entries.values()].map(({ context }) => fullName(context.pod)));
    for (const [uid, pod] of this.#desired) {
      if (this.#entries.has(uid) || taken.has(fullName(pod))) continue;
      taken.add(fullName(pod));
      this.#start(pod);
    }
  }

  #start(pod: AgentPod): void {
    const entry: Entry = {
      context: this.#contextOf(pod, this.#arrivals++),
      interrupt: new AbortController(),
    };
    this.#entries.set(pod.metadata.uid, entry);
    this.#queue.add(pod.metadata.uid);
  }

  #contextOf(pod: AgentPod, priority: number): PodContext {
    return {
      pod,
      priority,
      record: newRecord(pod, apiTime(this.#parts.clock.now())),
      isLoaded: false,
      ending: undefined,
      logFloor: new Map(),
      failures: new Map(),
      failureCounts: new Map(),
      stoppedSandboxes: new Set(),
      setUp: undefined,
      isTornDown: false,
      isForgotten: false,
      sight: undefined,
      status: undefined,
    };
  }

  async #round(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    const { context } = entry;
    const { signal } = entry.interrupt;
    try {
      if (!context.isLoaded) await this.#load(context);
      const next = await this.#parts.worker.round(context, signal);
      this.#troubles.delete(uid);
      if (context.isForgotten) this.#release(uid);
      else if (next !== undefined) this.#queue.add(uid, next);
    } catch (error) {
      this.#recover(uid, asError(error));
    }
  }

  #recover(uid: string, error: Error): void {
    if (error instanceof Interrupted) {
      this.#queue.add(uid);
      return;
    }
    const pod = this.#entries.get(uid)?.context.pod;
    this.#parts.log.warn(
      { uid, pod: pod && fullName(pod), err: error },
      'the pod could not be looked after; trying again',
    );
    this.#troubles.set(uid, error.message);
    this.#queue.add(uid, RUNTIME_RETRY_MS);
  }

  /** Brings back what an earlier process knew of the pod. */
  async #load(context: PodContext): Promise<void> {
    const record = await this.#parts.records.read(context.pod.metadata.uid);
    const { terminating } = context.record;
    if (record !== undefined) {
      if (context.ending === undefined && !isSamePod(record.pod, context.pod)) {
        // Under this UID an older pod ran, which has to end first; then the wanted one gets its turn.
        context.pod = record.pod;
        context.ending = {
          gracePeriodSeconds: record.pod.spec.terminationGracePeriodSeconds ?? 30,
          forget: true,
        };
      }
      context.record = { ...record, pod: context.pod };
      // A pod that is wanted again after its removal had begun goes on; only a removal under way keeps its start.
      delete context.record.terminating;
      if (context.ending !== undefined) {
        context.record.terminating = record.terminating ?? terminating ?? this.#endNow(context.ending);
      }
    }
    for (const [name, attempt] of await this.#parts.logFloor(context.pod))
      context.logFloor.set(name, attempt);
    context.isLoaded = true;
  }

  #endNow({ gracePeriodSeconds }: Ending): NonNullable<PodContext['record']['terminating']> {
    return { since: this.#parts.clock.now(), gracePeriodSeconds };
  }

  /** Nothing is left of the pod: its name is free for the next. */
  #release(uid: string): void {
    this.#entries.delete(uid);
    this.#queue.remove(uid);
    this.#troubles.delete(uid);
    this.#admit();
  }

  #waitsOf(context: PodContext): Wait[] {
    const waits = [...(context.sight?.decision.waits ?? [])];
    const trouble = this.#troubles.get(context.pod.metadata.uid);
    if (trouble !== undefined) {
      waits.push({
        subject: 'pod',
        reason: 'RuntimeTrouble',
        message: `The pod can't be looked after: ${trouble}`,
      });
    }
    return waits;
  }
}

function turnWait(pod: AgentPod, owner: PodContext | undefined): Wait[] {
  if (owner === undefined) return [];
  return [
    {
      subject: 'pod',
      reason: 'NameInUse',
      message: `The pod starts when the earlier pod ${fullName(pod)} (UID ${owner.pod.metadata.uid}) has ended.`,
    },
  ];
}

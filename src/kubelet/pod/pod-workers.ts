import type { Clock } from '#lib/clock.ts';
import { asError } from '#lib/errors.ts';
import { KeyedQueue } from '#lib/keyed-queue.ts';
import { type AgentPod, fullName } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import type { Logger } from '#lib/logger.ts';
import { type Admission, admitsAll } from '../admission.ts';
import { allocate, RETRY_RESIZE_MS } from './allocate.ts';
import { withAllocation } from './allocation.ts';
import { asksForLook, endingOf, graceOf, isApiPod, lasting, mayMountMore, terminalInApi } from './api-pod.ts';
import { type Ending, MINIMUM_POD_GRACE_SECONDS } from './decision.ts';
import { type PodContext, newContext } from './pod-context.ts';
import { PodNames } from './pod-names.ts';
import type { PodWorker } from './pod-worker.ts';
import { type PodEvents, type PodStatusSink, noStatusSink } from './ports.ts';
import type { PodRecord } from './record.ts';
import type { RecordStore } from './record-store.ts';
import { restore, sooner } from './restore.ts';
import { isSamePod } from './same-pod.ts';
import { SettledPods } from './settled-pods.ts';
import { troubleWait, turnWait } from './worker-waits.ts';

export interface WorkersParts {
  worker: PodWorker;
  records: RecordStore;
  events: PodEvents;
  clock: Clock;
  log: Logger;
  /** Everything is admitted unless given. */
  admission?: Admission | undefined;
  /** Where the statuses of pods without worker go; the worker's own go there, too. */
  statuses?: PodStatusSink | undefined;
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
  readonly #sink: PodStatusSink;
  readonly #queue: KeyedQueue;
  readonly #entries = new Map<string, Entry>();
  readonly #settled: SettledPods;
  /** What is wanted: the pods of all sources, by UID. */
  #desired: ReadonlyMap<string, AgentPod> = new Map();
  /** Full names by UID of pods that an earlier agent left and that have no worker yet. */
  #earlier = new Map<string, string>();
  #arrivals = 0;
  readonly #troubles = new Map<string, string>();

  constructor(parts: WorkersParts) {
    this.#parts = parts;
    this.#sink = parts.statuses ?? noStatusSink;
    this.#settled = new SettledPods(this.#sink);
    this.#queue = new KeyedQueue(parts.clock, (uid) => this.#round(uid));
  }

  /**
   * Tells, before the first `setDesired`, of which pods the runtime or the records know. Such a pod isn't judged again,
   * and keeps its name until it has ended.
   */
  setEarlier(found: Iterable<{ uid: string; namespace: string; name: string }>): void {
    this.#earlier = new Map([...found].map(({ uid, namespace, name }) => [uid, `${namespace}/${name}`]));
  }

  /** Of the pods that an earlier agent left, only those with these UIDs are still there. */
  retainEarlier(uids: { has(uid: string): boolean }): void {
    for (const uid of this.#earlier.keys()) if (!uids.has(uid)) this.#earlier.delete(uid);
    this.#admit();
  }

  /** Takes the whole set of wanted pods: new ones start, and pods no longer in it end for good. */
  setDesired(pods: readonly AgentPod[]): void {
    this.#desired = new Map(pods.map((pod) => [pod.metadata.uid, pod]));
    for (const [uid, entry] of this.#entries) {
      const { pod, ending } = entry.context;
      const wanted = this.#desired.get(uid);
      if (wanted !== undefined && isApiPod(wanted)) this.#update(entry, wanted);
      // A manifest may fix its pod's UID: then an edit comes under the old one, and the pods take turns all the same.
      else if (wanted === undefined || (ending === undefined && !isSamePod(wanted, pod)))
        this.end(uid, { gracePeriodSeconds: ending?.gracePeriodSeconds ?? graceOf(pod), forget: true });
    }
    this.#settled.update(this.#desired);
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
    const { terminating } = context.record;
    const next = sooner(terminating, {
      since: this.#parts.clock.now(),
      gracePeriodSeconds: Math.max(MINIMUM_POD_GRACE_SECONDS, ending.gracePeriodSeconds),
    });
    const forget = ending.forget || before?.forget === true;
    if (before !== undefined && next === terminating && forget === before.forget) return;
    context.ending = { gracePeriodSeconds: next.gracePeriodSeconds, forget };
    context.record.terminating = next;
    // What is under way goes on where only what follows it is another.
    if (before === undefined || next !== terminating) this.#interrupt(entry, 'the pod is to end');
    this.#queue.add(uid);
  }

  /** Ends a pod in the phase Failed, for a reason of the node's; it stays until its owner removes it. */
  fail(uid: string, terminal: Omit<NonNullable<PodRecord['terminal']>, 'phase'>): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined || entry.context.record.terminal !== undefined) return;
    entry.context.record.terminal = { phase: 'Failed', ...terminal };
    this.#interrupt(entry, 'the pod is to fail');
    this.#queue.add(uid);
  }

  /** Something about the pod may have changed: look at it now. Unknown UIDs are ignored. */
  markDirty(uid: string): void {
    if (this.#entries.has(uid)) this.#queue.add(uid);
  }

  /** What probes say of the pod has changed: that is published at once, and then looked at. */
  restate(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#parts.worker.restate(entry.context);
    this.#queue.add(uid);
  }

  markAllDirty(): void {
    for (const uid of this.#entries.keys()) this.#queue.add(uid);
  }

  /** The UIDs of all pods that are wanted or still being ended. */
  uids(): ReadonlySet<string> {
    return new Set([...this.#desired.keys(), ...this.#entries.keys()]);
  }

  /** The pods of which something may run. */
  activePods(): AgentPod[] {
    return this.#contexts()
      .filter(({ mayRun }) => mayRun)
      .map(({ pod }) => pod);
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

  /** Whether a pod of this full name is on the node, also one that an earlier agent left. */
  hasName(name: string): boolean {
    const names = [...this.#earlier.values(), ...this.#contexts().map(({ pod }) => fullName(pod))];
    return names.includes(name);
  }

  /** Runs `work` while nobody looks after the pod. */
  exclusively<T>(uid: string, work: () => Promise<T>): Promise<T> {
    return this.#queue.exclusively(uid, work);
  }

  /** How many pods are being looked after at this moment. */
  get busy(): number {
    return this.#queue.running;
  }

  /** The pods that run or end, those without worker, then those that wait for their name. */
  snapshots(): PodSnapshot[] {
    const known = this.#contexts().map((context) => ({ context, waits: this.#waitsOf(context) }));
    const settled = [...this.#settled.all()].map(({ pod, status, rejection }) => ({
      context: { ...this.#contextOf(pod, Infinity), status, mayRun: false },
      waits: rejection === undefined ? [] : [rejection],
    }));
    const names = new Map(known.map((each) => [fullName(each.context.pod), each.context]));
    const waiting = [...this.#desired.values()]
      .filter(({ metadata: { uid } }) => !this.#entries.has(uid) && !this.#settled.has(uid))
      .map((pod) => ({
        context: this.#contextOf(pod, Infinity),
        waits: [turnWait(pod, names.get(fullName(pod)))],
      }));
    return [...known, ...settled, ...waiting];
  }

  /** Stops all rounds; pods and their containers stay as they are. */
  async stop(): Promise<void> {
    for (const entry of this.#entries.values()) entry.interrupt.abort(new Interrupted('the agent stops'));
    await this.#queue.stop();
  }

  /** Takes on every wanted pod whose name is free, or rejects it. */
  #admit(): void {
    const left = [...this.#earlier].filter(([uid]) => !this.#desired.has(uid)).map(([, name]) => name);
    const names = new PodNames(this.#contexts(), left);
    const fresh = [...this.#desired].filter(([uid]) => !this.#entries.has(uid) && !this.#settled.has(uid));
    // What runs already takes its room before anything new is judged.
    const inOrder = fresh.sort(([a], [b]) => Number(this.#earlier.has(b)) - Number(this.#earlier.has(a)));
    for (const [uid, pod] of inOrder) {
      if (names.isTaken(pod) || !this.#isTakenOn(pod)) continue;
      names.hold(pod, true);
      this.#start(pod);
      const ending = endingOf(pod);
      if (ending !== undefined) this.end(uid, ending);
    }
  }

  /** Whether the pod gets a worker; one that is known here always does, and one that is to end gets it for its end. */
  #isTakenOn(pod: AgentPod): boolean {
    if (this.#earlier.has(pod.metadata.uid)) return true;
    if (terminalInApi(pod) !== undefined) {
      this.#settled.settle(pod);
      return false;
    }
    if (endingOf(pod) !== undefined) return true;
    const { admission = admitsAll, events, clock } = this.#parts;
    const verdict = admission.admit(pod, this.activePods());
    if (verdict.admitted) return true;
    const { reason, message } = verdict;
    events.event(pod, 'Warning', reason, message);
    this.#settled.reject(pod, { reason, message }, clock.now());
    return false;
  }

  #start(pod: AgentPod): void {
    const { uid } = pod.metadata;
    const entry: Entry = {
      context: this.#contextOf(pod, this.#arrivals++),
      interrupt: new AbortController(),
    };
    this.#entries.set(uid, entry);
    this.#earlier.delete(uid);
    this.#queue.add(uid);
  }

  /** The same pod, as the API server has it now: it is changed in place. */
  #update(entry: Entry, wanted: AgentPod): void {
    const { context } = entry;
    const before = context.wanted;
    if (before === wanted) return;
    const { uid } = wanted.metadata;
    if (mayMountMore(before, wanted)) context.setUp = undefined;
    context.wanted = wanted;
    context.pod = withAllocation(wanted, context.pod);
    context.record.pod = lasting(context.pod);
    if (asksForLook(before, wanted)) this.#queue.add(uid);
    const terminal = terminalInApi(wanted);
    if (terminal !== undefined && terminal.phase !== context.record.terminal?.phase) {
      // Somebody else says that the pod is over: then it is. Of one that ends already, it may be this agent's own word.
      context.record.terminal = terminal;
      if (context.ending === undefined) this.#interrupt(entry, 'the pod is over');
      this.#queue.add(uid);
    }
    const ending = endingOf(wanted);
    if (ending !== undefined) this.end(uid, ending);
  }

  #interrupt(entry: Entry, why: string): void {
    entry.interrupt.abort(new Interrupted(why));
    entry.interrupt = new AbortController();
  }

  #contexts(): PodContext[] {
    return [...this.#entries.values()].map(({ context }) => context);
  }

  #contextOf(pod: AgentPod, priority: number): PodContext {
    return newContext(pod, priority, this.#parts.clock.now());
  }

  async #round(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    const { context } = entry;
    const { signal } = entry.interrupt;
    const { mayRun } = context;
    try {
      if (!context.isLoaded) await this.#load(context);
      if (this.#allocate(context)) this.#retryResizes();
      const next = await this.#parts.worker.round(context, signal);
      this.#troubles.delete(uid);
      if (context.isForgotten) this.#release(uid);
      else if (next !== undefined) this.#queue.add(uid, next);
    } catch (error) {
      this.#recover(uid, asError(error));
    }
    if (mayRun && !context.mayRun) {
      this.#admit();
      this.#retryResizes();
    }
    if (context.record.resize?.pending !== undefined) this.#queue.add(uid, RETRY_RESIZE_MS);
  }

  /** Judges a resize that is asked for; the pod itself takes no room from it. */
  #allocate(context: PodContext): boolean {
    const { admission = admitsAll, events, clock } = this.#parts;
    const others = (): AgentPod[] => this.activePods().filter((each) => each !== context.pod);
    return allocate(context, { judge: (pod) => admission.admit(pod, others()), events, now: clock.now() });
  }

  /** Room may have become free. */
  #retryResizes(): void {
    for (const [uid, { context }] of this.#entries)
      if (context.record.resize?.pending !== undefined) this.#queue.add(uid);
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

  async #load(context: PodContext): Promise<void> {
    const record = await this.#parts.records.read(context.pod.metadata.uid);
    restore(context, record, this.#parts.clock.now());
    for (const [name, attempt] of await this.#parts.logFloor(context.pod))
      context.logFloor.set(name, attempt);
    context.isLoaded = true;
  }

  /** Nothing is left of the pod: its name is free for the next. */
  #release(uid: string): void {
    this.#entries.delete(uid);
    this.#queue.remove(uid);
    this.#troubles.delete(uid);
    this.#sink.forget(uid);
    this.#admit();
  }

  #waitsOf(context: PodContext): Wait[] {
    const waits = context.sight?.decision.waits ?? [];
    const trouble = this.#troubles.get(context.pod.metadata.uid);
    return trouble === undefined ? [...waits] : [...waits, troubleWait(trouble)];
  }
}

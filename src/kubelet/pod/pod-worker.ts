import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { isMissingReference, isUnanswered } from '#lib/kube/referenced.ts';
import type { Logger } from '#lib/logger.ts';
import type { PodReferences, Purpose } from '../objects/pod-references.ts';
import { shownContent } from '../objects/volume-content.ts';
import { VolumeError } from '#volumes/errors.ts';
import { POST_START_FAILED } from '../hooks/post-start.ts';
import { podStatus } from '../status/pod-status.ts';
import { absorb } from './absorb.ts';
import { isApiPod, lasting } from './api-pod.ts';
import { followClock } from './follow-clock.ts';
import type { BackoffLimits } from './crash-backoff.ts';
import { DEADLINE_EXCEEDED } from './deadline.ts';
import { currentSandbox } from './decide-sandbox.ts';
import { decide } from './decide.ts';
import { type Decision, type PodState, RESIZE, SETUP, VOLUMES } from './decision.ts';
import type { StepExecutor } from './execute.ts';
import { type ContainerView, allContainers, viewContainers } from './instances.ts';
import type { Observation, PodObserver } from './observer.ts';
import type { PodContext } from './pod-context.ts';
import { type PodEvents, type PodImages, type PodProbes, type PodStatusSink, noStatusSink } from './ports.ts';
import { probedPod, recordHealths } from './probed-pod.ts';
import { isResized } from './decide-resize.ts';
import { resizeText } from './resize-text.ts';
import type { RecordStore } from './record-store.ts';
import { StepFailure } from './step-failure.ts';
import type { StepKind } from './steps.ts';

export interface WorkerParts {
  observer: PodObserver;
  executor: StepExecutor;
  references: PodReferences;
  images: PodImages;
  probes: PodProbes;
  records: RecordStore;
  events: PodEvents;
  clock: Clock;
  log: Logger;
  /** Where statuses are published; nowhere unless given. */
  statuses?: PodStatusSink | undefined;
  hostIps: readonly string[];
  runtimeName: string;
  backoffLimits: BackoffLimits;
}

/** Delays between tries of what fails: 1 s, doubling to 30 s. */
const retryDelay = (failures: number): number => Math.min(1000 * 2 ** Math.min(failures, 10), 30_000);

/** Steps that take something from what the pod names: worth a moment's wait for a server that is about to answer. */
const PURPOSES: Partial<Record<StepKind, Purpose>> = {
  setUp: 'volumes',
  refreshVolumes: 'volumes',
  createSandbox: 'sandbox',
  requestImage: 'image',
  startContainer: 'container',
};

/** A pod whose decisions never come to rest is slowed down, so that a mistake here can't burn a processor. */
const MAX_STREAK = 30;

/** One round for one pod: observe, decide, publish, do. Holds no state of its own: that is in the PodContext. */
export class PodWorker {
  readonly #parts: WorkerParts;
  /** Rounds in a row that had something to do, by pod. */
  readonly #streaks = new WeakMap<PodContext, number>();
  /** What each pod's volumes were made of when this process last wrote them. */
  readonly #written = new WeakMap<PodContext, string>();

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** Returns after how many milliseconds the next round is due; undefined: only when something happens. */
  async round(context: PodContext, signal: AbortSignal): Promise<number | undefined> {
    const decision = await this.#look(context, signal);
    const rested = await this.#do(context, decision, signal);
    if (!rested) {
      const streak = (this.#streaks.get(context) ?? 0) + 1;
      this.#streaks.set(context, streak);
      return streak > MAX_STREAK ? 1000 : 0;
    }
    this.#streaks.delete(context);
    return decision.wakeAt === undefined ? undefined : Math.max(0, decision.wakeAt - this.#parts.clock.now());
  }

  async #look(context: PodContext, signal: AbortSignal): Promise<Decision> {
    const { observer, probes, records, references } = this.#parts;
    const { pod, record } = context;
    followClock(context, this.#parts.clock);
    if (record.terminal === undefined && !context.isTornDown) references.register(pod);
    const observation = await observer.observe(pod.metadata.uid, allContainers(pod).length, signal);
    const views = viewContainers(pod, observation.containers, record);
    absorb(record, views);
    const healths = probes.sync(probedPod(context, { ...observation, views }, this.#parts.hostIps));
    recordHealths(record, healths);
    this.#finishResize(context, views);
    const state = this.#stateOf(context, { ...observation, views });
    const decision = decide(state);
    if (decision.initializedIn !== undefined) record.initializedIn = decision.initializedIn;
    this.#announce(context, decision);
    if (decision.terminal !== undefined) record.terminal = decision.terminal;
    const ips = currentSandbox(state)?.ips ?? [];
    if (ips.length > 0) record.podIps = [...ips];
    // The pod may have been edited since.
    record.pod = lasting(context.pod);
    if (!context.isForgotten) await records.write(record);
    context.sight = { ...observation, views, decision };
    const isOver = context.ending !== undefined || record.terminal !== undefined;
    context.mayRun = !isOver || runs(observation);
    context.status = this.#status(context, state, decision);
    this.#publish(context, isOver);
    return decision;
  }

  /** Publishes the status anew when only what probes say has changed, without waiting for a round under way. */
  restate(context: PodContext): void {
    const { sight, record } = context;
    if (sight === undefined || context.isForgotten) return;
    context.status = this.#status(context, this.#stateOf(context, sight), sight.decision);
    this.#publish(context, context.ending !== undefined || record.terminal !== undefined);
  }

  /** Of a pod that is to leave no trace, nobody wants to know more. */
  #publish(context: PodContext, isOver: boolean): void {
    if (context.status === undefined || context.ending?.forget === true) return;
    (this.#parts.statuses ?? noStatusSink).publish(context.pod, context.status, {
      mayRun: context.mayRun,
      isFinished: isOver && !context.mayRun && context.isTornDown,
    });
  }

  #stateOf(context: PodContext, sight: Omit<NonNullable<PodContext['sight']>, 'decision'>): PodState {
    const { clock, images, backoffLimits } = this.#parts;
    const now = clock.now();
    const { pod, record, ending } = context;
    const since = record.terminating?.since ?? now;
    return {
      pod,
      ending: ending && {
        ...ending,
        gracePeriodSeconds: Math.max(
          0,
          Math.round(ending.gracePeriodSeconds - Math.max(0, now - since) / 1000),
        ),
      },
      sandboxes: sight.sandboxes,
      containers: sight.views,
      record,
      isSetUp: context.setUp !== undefined,
      referencesVersion: this.#parts.references.version(pod.metadata.uid),
      areVolumesStale: this.#volumeContent(context) !== this.#written.get(context),
      isTornDown: context.isTornDown,
      stoppedSandboxes: context.stoppedSandboxes,
      failures: context.failures,
      logFloor: context.logFloor,
      healths: this.#parts.probes.healths(pod.metadata.uid),
      imageState: (container, attempt) => images.state(pod.metadata.uid, container, attempt),
      backoffLimits,
      now,
    };
  }

  #status(context: PodContext, state: PodState, decision: Decision): PodContext['status'] {
    const { hostIps, runtimeName } = this.#parts;
    const sandbox = currentSandbox(state);
    return podStatus({
      pod: context.pod,
      record: context.record,
      containers: state.containers,
      sandbox,
      initialized: sandbox !== undefined && context.record.initializedIn === sandbox.id,
      waiting: decision.waiting,
      healths: state.healths,
      terminal: decision.terminal,
      isEnding: context.ending !== undefined,
      mayRun: context.mayRun,
      previous: context.status ?? (isApiPod(context.pod) ? context.pod.status : undefined),
      hostIps,
      runtimeName,
      resizeError: state.failures.get(RESIZE)?.message,
      now: state.now,
    });
  }

  #finishResize({ pod, record }: PodContext, views: readonly ContainerView[]): void {
    const done = record.resize?.inProgress;
    if (done === undefined || !isResized(views, record)) return;
    delete record.resize?.inProgress;
    const text = resizeText('Pod resize completed', pod, done.generation);
    this.#parts.events.event(pod, 'Normal', 'ResizeCompleted', text);
  }

  /** The events that come from a decision rather than from something done. */
  #announce(context: PodContext, decision: Decision): void {
    const { name, namespace, uid } = context.pod.metadata;
    if (decision.terminal?.reason === DEADLINE_EXCEEDED && context.record.terminal === undefined) {
      this.#parts.events.event(context.pod, 'Normal', DEADLINE_EXCEEDED, decision.terminal.message ?? '');
    }
    for (const [container, { reason }] of decision.waiting) {
      const before = context.sight?.decision.waiting.get(container)?.reason;
      if (reason !== 'CrashLoopBackOff' || before === reason) continue;
      const message = `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`;
      this.#parts.events.event(context.pod, 'Warning', 'BackOff', message, container);
    }
  }

  /** Does the decision's steps; returns whether there is nothing more to do until something happens. */
  async #do(context: PodContext, decision: Decision, signal: AbortSignal): Promise<boolean> {
    for (const step of decision.steps) {
      signal.throwIfAborted();
      const purpose = PURPOSES[step.kind];
      if (purpose !== undefined) await this.#parts.references.settled(context.pod, purpose, signal);
      // Read before the step reads it: what changes meanwhile asks for another try.
      const version = this.#parts.references.version(context.pod.metadata.uid);
      const content = this.#volumeContent(context);
      try {
        await this.#parts.executor.execute(context, step, signal);
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error;
        if (signal.aborted) throw signal.reason as Error;
        this.#note(context, error, version);
        // What holds up one container doesn't hold up the others.
        if (!error.subject.startsWith('container ') && error.subject !== VOLUMES && error.subject !== RESIZE)
          return false;
        continue;
      }
      if (content !== undefined && (step.kind === 'setUp' || step.kind === 'refreshVolumes'))
        this.#written.set(context, content);
      if (step.kind === 'tearDown') this.#parts.probes.forget(context.pod.metadata.uid);
      this.#clear(context, step);
    }
    return decision.steps.every((step) => step.kind === 'requestImage');
  }

  /** Stands for what the pod's volumes are to be made of now; undefined where it can't change. */
  #volumeContent({ pod }: PodContext): string | undefined {
    const shown = shownContent(pod);
    return shown && `${this.#parts.references.contentVersion(pod.metadata.uid)} ${shown}`;
  }

  #note(context: PodContext, failure: StepFailure, version: number): void {
    const { clock, events, log } = this.#parts;
    const { subject, reason, message } = failure;
    const count = context.failureCounts.get(subject) ?? 0;
    const before = context.failures.get(subject);
    context.failureCounts.set(subject, count + 1);
    context.failures.set(subject, {
      reason,
      message,
      retryAt: clock.now() + retryDelay(count),
      ...(isMissingReference(failure) ? { referencesVersion: version } : {}),
    });
    const container = subject.startsWith('container ') ? subject.slice('container '.length) : undefined;
    const [eventReason, text] = eventOf(failure, context);
    // What a running pod's volumes hold is good for as long as nobody can say that it isn't.
    // A hook's failure has been told, and what it said may be a secret.
    const isQuiet =
      reason === POST_START_FAILED ||
      (subject === VOLUMES && isUnanswered(failure)) ||
      (subject === RESIZE && before?.message === message);
    if (!isQuiet) events.event(context.pod, 'Warning', eventReason, text, container);
    log.debug({ uid: context.pod.metadata.uid, subject, err: failure.cause }, describeError(failure));
  }

  #clear(context: PodContext, step: Decision['steps'][number]): void {
    const subjects: string[] = [];
    if (step.kind === 'startContainer' || step.kind === 'startCreated')
      subjects.push(`container ${step.container}`);
    if (step.kind === 'createSandbox') subjects.push('sandbox');
    if (step.kind === 'resize') subjects.push(RESIZE);
    if (step.kind === 'setUp' || step.kind === 'tearDown') subjects.push(SETUP);
    if (step.kind === 'setUp' || step.kind === 'refreshVolumes') subjects.push(VOLUMES);
    for (const subject of subjects) {
      context.failures.delete(subject);
      context.failureCounts.delete(subject);
    }
  }
}

/** Whether the runtime has anything of the pod that runs, or that may. */
const runs = ({ sandboxes, containers }: Observation): boolean =>
  sandboxes.some(({ state }) => state === 'SANDBOX_READY') ||
  containers.some(
    ({ status }) => status.state === 'CONTAINER_RUNNING' || status.state === 'CONTAINER_UNKNOWN',
  );

/** Upstream's event for a failure: reason and text. */
function eventOf(
  { subject, reason, message, cause }: StepFailure,
  { pod, record }: PodContext,
): [string, string] {
  if (subject === RESIZE) {
    const generation = record.resize?.inProgress?.generation ?? 0;
    return [reason, resizeText('Pod resize error', pod, generation, message)];
  }
  if (cause instanceof VolumeError && reason === 'FailedMount') {
    return [reason, `MountVolume.SetUp failed for volume ${JSON.stringify(cause.volume)} : ${cause.problem}`];
  }
  if (subject.startsWith('container ')) return ['Failed', `Error: ${message}`];
  if (reason === 'FailedCreatePodSandBox') return [reason, `Failed to create pod sandbox: ${message}`];
  if (reason === 'FailedKillPod') return [reason, `error killing pod: ${message}`];
  return [reason, message];
}

import type { ImageService } from '#cri/runtime.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { PriorityGate } from '#lib/priority-gate.ts';
import type { ImageRequest, ImageState, PodEvents, PodImages } from '../pod/ports.ts';
import { Flights } from './flights.ts';
import type { PodCredentials } from './pod-credentials.ts';
import { PullBackoff, backoffMessage } from './pull-backoff.ts';
import type { PullRecords } from './records/pull-records.ts';
import { ImageResolver } from './resolver.ts';
import { makeWish } from './wish.ts';
import type { Outcome, Refusal, Wish } from './wish.ts';

export interface ImageManagerOptions {
  /** KubeletConfiguration's maxParallelImagePulls; 5 unless given (upstream: 1, or no limit). */
  maxParallelImagePulls?: number;
  /** KubeletConfiguration's serializeImagePulls, where it was given: true means one pull at a time. */
  serializeImagePulls?: boolean;
  /** Milliseconds after which a pull is given up; 2 hours unless given. Runtimes notice a stalled one much earlier. */
  pullDeadlineMs?: number;
}

export interface ImageManagerParts {
  service: ImageService;
  records: PullRecords;
  credentials: PodCredentials;
  events: PodEvents;
  clock: Clock;
  logger: Logger;
  /** Called when a wish of the pod has become ready or failed, or fails differently. Must not throw. */
  onChange: (podUid: string) => void;
  options?: ImageManagerOptions;
}

const DEFAULT_PARALLEL_PULLS = 5;
const PULL_DEADLINE_MS = 2 * 3_600_000;
/** For how long a failed pull shows as itself before it shows as the back-off. */
const SHOW_FAILURE_MS = 1000;
/** How often an image that can't be used is looked for again; upstream syncs a failing pod about as often. */
const RECHECK_MS = 10_000;
/** How often a failure that stands is reported again: events are forgotten after an hour. */
const REMIND_MS = 300_000;
/**
 * For how long a found image may be taken for present. Garbage collection leaves an image alone for two minutes
 * after it was seen first, so a later start has to look again.
 */
const READY_MS = 120_000;
/** More than timers and two readings of the clocks can differ by. */
const CLOCK_JUMP_MS = 2000;

/**
 * The images of the node's pods. Every wish is worked on in the background; what is known is answered at once.
 *
 * A wish that failed after it had failed before keeps its last failure as its state while it is tried again, with
 * `retryAt` undefined: as with kubelet, a pod doesn't flip between ImagePullBackOff and ContainerCreating.
 */
export class ImageManager implements PodImages {
  readonly #clock: Clock;
  readonly #events: PodEvents;
  readonly #logger: Logger;
  readonly #onChange: (podUid: string) => void;
  readonly #backoff: PullBackoff;
  readonly #resolver: ImageResolver;
  /** By pod UID, then by container. */
  readonly #wishes = new Map<string, Map<string, Wish>>();
  #count = 0;

  constructor(parts: ImageManagerParts) {
    const { service, records, credentials, events, clock, logger, options = {} } = parts;
    const parallel = options.serializeImagePulls === true ? 1 : options.maxParallelImagePulls;
    this.#clock = clock;
    this.#events = events;
    this.#logger = logger;
    this.#onChange = parts.onChange;
    this.#backoff = new PullBackoff(clock);
    const flights = new Flights({
      service,
      records,
      gate: new PriorityGate(parallel ?? DEFAULT_PARALLEL_PULLS),
      clock,
      logger,
      pullDeadlineMs: options.pullDeadlineMs ?? PULL_DEADLINE_MS,
    });
    this.#resolver = new ImageResolver({
      service,
      records,
      credentials,
      flights,
      backoff: this.#backoff,
      clock,
      events,
    });
  }

  state(podUid: string, container: string, attempt: number): ImageState {
    const wish = this.#wishes.get(podUid)?.get(container);
    if (wish === undefined || wish.attempt !== attempt || this.#isStale(wish)) return { kind: 'unknown' };
    const { state } = wish;
    if (state.kind !== 'failed' || state.retryAt === undefined) return state;
    // The back-off doesn't follow jumps of the wall clock, so the time that people and workers see does.
    const retryAt = this.#retryAt(wish);
    return Math.abs(retryAt - state.retryAt) > CLOCK_JUMP_MS && retryAt > this.#clock.now()
      ? (wish.state = { ...state, retryAt })
      : state;
  }

  request(request: ImageRequest): void {
    const { uid } = request.pod.metadata;
    const { name } = request.container;
    const known = this.#wishes.get(uid)?.get(name);
    const same =
      known?.attempt === request.attempt &&
      known.image === (request.container.image ?? '') &&
      !this.#isStale(known);
    if (same && !this.#isDue(known)) return;
    const wish = same ? known : makeWish(request, this.#count++, this.#clock.now());
    const ofPod = this.#wishes.get(uid) ?? new Map<string, Wish>();
    this.#wishes.set(uid, ofPod.set(name, wish));
    if (known !== undefined && known !== wish) this.#drop(known);
    void this.#work(wish);
  }

  forget(podUid: string): void {
    const wishes = this.#wishes.get(podUid);
    this.#wishes.delete(podUid);
    for (const wish of wishes?.values() ?? []) this.#drop(wish);
  }

  /** Ends every pull and forgets every wish: the process is about to end. */
  stop(): void {
    for (const podUid of this.#wishes.keys()) this.forget(podUid);
  }

  #drop(wish: Wish): void {
    wish.timer?.cancel();
    wish.controller.abort();
  }

  #isStale({ state, readyAt }: Wish): boolean {
    return state.kind === 'ready' && this.#clock.monotonic() - readyAt > READY_MS;
  }

  #isDue({ state, busy }: Wish): boolean {
    return (
      !busy && state.kind === 'failed' && state.retryAt !== undefined && state.retryAt <= this.#clock.now()
    );
  }

  async #work(wish: Wish): Promise<void> {
    wish.busy = true;
    wish.timer?.cancel();
    // What is being tried again has no time at which it will be.
    if (wish.state.kind === 'failed') wish.state = { ...wish.state, retryAt: undefined };
    let outcome: Outcome;
    try {
      outcome = await this.#resolver.resolve(wish);
    } catch (error) {
      if (wish.controller.signal.aborted) return;
      this.#logger.error({ ...about(wish), err: error }, 'an image can not be looked for');
      outcome = { kind: 'failed', reason: 'ImageInspectError', message: describeError(error) };
    }
    wish.busy = false;
    if (!wish.controller.signal.aborted) this.#settle(wish, outcome);
  }

  #settle(wish: Wish, outcome: Outcome): void {
    const { uid } = wish.pod.metadata;
    if (outcome.kind === 'ready') {
      wish.state = outcome;
      wish.readyAt = this.#clock.monotonic();
      this.#logger.debug({ ...about(wish), ref: outcome.ref }, 'image ready');
      this.#onChange(uid);
      return;
    }
    if (outcome.reason === 'ImagePullBackOff') this.#backOff(wish);
    else if (isPullFailure(outcome)) {
      this.#show(wish, outcome, this.#retryAt(wish));
      this.#later(wish, SHOW_FAILURE_MS, () => this.#backOff(wish));
    } else this.#refuse(wish, outcome);
  }

  /** It can't be had, and pulling isn't the question: tried again now and then, but for a name that can't be one. */
  #refuse(wish: Wish, refusal: Refusal): void {
    const { state } = wish;
    const stands =
      state.kind === 'failed' && state.reason === refusal.reason && state.message === refusal.message;
    if (!stands || this.#clock.monotonic() - wish.reportedAt >= REMIND_MS) {
      const event = refusal.reason === 'ErrImageNeverPull' ? 'ErrImageNeverPull' : 'InspectFailed';
      this.#events.event(wish.pod, 'Warning', event, refusal.message, wish.container);
      this.#show(wish, refusal, undefined);
    }
    if (refusal.reason !== 'InvalidImageName') this.#later(wish, RECHECK_MS, () => void this.#work(wish));
  }

  #backOff(wish: Wish): void {
    const { pod, container, image } = wish;
    const message = this.#backoff.message(pod.metadata.uid, image);
    this.#events.event(pod, 'Normal', 'BackOff', backoffMessage(image), container);
    this.#show(wish, { kind: 'failed', reason: 'ImagePullBackOff', message }, this.#retryAt(wish));
    this.#lookLater(wish);
  }

  /** An image may be loaded by hand while its pod waits, whatever the back-off says. */
  #lookLater(wish: Wish): void {
    if (wish.policy === 'IfNotPresent') this.#later(wish, RECHECK_MS, () => void this.#look(wish));
  }

  async #look(wish: Wish): Promise<void> {
    const found = await this.#resolver.look(wish);
    if (wish.controller.signal.aborted || wish.busy) return;
    if (found === undefined) this.#lookLater(wish);
    else this.#settle(wish, found);
  }

  #show(wish: Wish, refusal: Refusal, retryAt: number | undefined): void {
    const { reason, message } = refusal;
    wish.state = { ...refusal, retryAt };
    wish.reportedAt = this.#clock.monotonic();
    this.#logger.warn({ ...about(wish), reason, problem: message }, 'image not available');
    this.#events.event(wish.pod, 'Warning', 'Failed', `Error: ${reason}`, wish.container);
    this.#onChange(wish.pod.metadata.uid);
  }

  #retryAt({ pod, image }: Wish): number {
    return this.#clock.now() + this.#backoff.remaining(pod.metadata.uid, image);
  }

  #later(wish: Wish, ms: number, work: () => void): void {
    wish.timer?.cancel();
    wish.timer = this.#clock.after(ms, () => {
      if (!wish.controller.signal.aborted && !wish.busy) work();
    });
  }
}

const PULL_FAILURES: readonly string[] = [
  'ErrImagePull',
  'ImagePullBackOff',
  'RegistryUnavailable',
  'SignatureValidationFailed',
];

const isPullFailure = ({ reason }: { reason: string }): boolean => PULL_FAILURES.includes(reason);

function about(wish: Wish): Record<string, unknown> {
  const { namespace, name, uid } = wish.pod.metadata;
  return { pod: `${namespace}/${name}`, uid, container: wish.container, image: wish.image };
}

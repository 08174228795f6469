import type { ImageService } from '#cri/runtime.ts';
import type { Image, ImageSpec } from '#cri/types.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { parseImageName, withDefaultTag } from '#lib/kube/image-name.ts';
import type { PodEvents } from '../pod/ports.ts';
import type { Credential } from './credential.ts';
import type { Flights, Landed, Ticket } from './flights.ts';
import { goDuration, quote } from './go-text.ts';
import { missingSecretsMessage } from './pod-credentials.ts';
import type { PodCredentials } from './pod-credentials.ts';
import type { PullBackoff } from './pull-backoff.ts';
import { ImagePullError, classifyPullError, runtimeErrorText } from './pull-error.ts';
import type { PullRecords } from './records/pull-records.ts';
import type { Outcome, ReadyState, Refusal, Wish } from './wish.ts';

export interface ResolverParts {
  service: ImageService;
  records: PullRecords;
  credentials: PodCredentials;
  flights: Flights;
  backoff: PullBackoff;
  clock: Clock;
  events: PodEvents;
}

/** `absent`: nothing here that this pod may use; a pull has to bring it. */
type Local = Outcome | { kind: 'absent' };

/**
 * Finds out for one wish whether its image can be used, and fetches it where the policy says so. Messages and event
 * reasons are upstream's (pkg/kubelet/images of 1.36).
 */
export class ImageResolver {
  readonly #parts: ResolverParts;

  constructor(parts: ResolverParts) {
    this.#parts = parts;
  }

  /**
   * Looks for the image here, and else pulls it. Emits the events that go with a present image and with a pull, not
   * those of a refusal.
   */
  async resolve(wish: Wish): Promise<Outcome> {
    const spec = this.#spec(wish);
    if ('reason' in spec) return spec;
    // Read once, and no earlier than needed.
    let found: Promise<Credential[]> | undefined;
    // A refusal that stands is looked at often, and its reason has been told.
    const quiet = wish.state.kind === 'failed' && wish.state.reason === 'ErrImageNeverPull';
    const candidates = (): Promise<Credential[]> => (found ??= this.#candidates(wish, { quiet }));
    const local = await this.#local(wish, spec, candidates);
    if (local.kind === 'ready') this.#reportPresent(wish);
    return local.kind === 'absent' ? this.#fetch(wish, spec, candidates) : local;
  }

  /** Looks whether the image of a wish whose pull failed has come some other way. Silent but for success. */
  async look(wish: Wish): Promise<ReadyState | undefined> {
    const spec = this.#spec(wish);
    if ('reason' in spec) return undefined;
    try {
      const local = await this.#local(wish, spec, () => this.#candidates(wish, { quiet: true }));
      if (local.kind !== 'ready') return undefined;
      this.#reportPresent(wish);
      return local;
    } catch {
      // The next look, or the next pull, says what is wrong.
      return undefined;
    }
  }

  #reportPresent({ pod, container, image }: Wish): void {
    const message = `Container image ${quote(image)} already present on machine and can be accessed by the pod`;
    this.#parts.events.event(pod, 'Normal', 'Pulled', message, container);
  }

  #spec({ image, pod }: Wish): ImageSpec | Refusal {
    try {
      return { image: withDefaultTag(image), annotations: pod.metadata.annotations ?? {} };
    } catch (error) {
      const why = `couldn't parse image name ${quote(image)}: ${describeError(error)}`;
      const message = `Failed to apply default image tag ${quote(image)}: ${why}`;
      return { kind: 'failed', reason: 'InvalidImageName', message };
    }
  }

  async #local(wish: Wish, spec: ImageSpec, candidates: () => Promise<Credential[]>): Promise<Local> {
    const { service, records } = this.#parts;
    const { image, policy, controller } = wish;
    let found: Image | undefined;
    try {
      await records.adopt();
      if (policy === 'Always') return { kind: 'absent' };
      found = await service.imageStatus(spec, { signal: controller.signal });
    } catch (error) {
      const message = `Failed to inspect image ${quote(image)}: ${runtimeErrorText(error)}`;
      return { kind: 'failed', reason: 'ImageInspectError', message };
    }
    if (found !== undefined && !(await records.mustPull(image, found.id, candidates))) {
      return { kind: 'ready', ref: found.id, image: found };
    }
    if (policy !== 'Never') return { kind: 'absent' };
    // Nobody learns whether an image is here that he couldn't pull: both cases read the same.
    const message = `Container image ${quote(image)} is not present with pull policy of Never`;
    return { kind: 'failed', reason: 'ErrImageNeverPull', message };
  }

  async #candidates({ pod, image }: Wish, { quiet = false } = {}): Promise<Credential[]> {
    const { candidates, missing } = await this.#parts.credentials.lookup(
      pod,
      parseImageName(image).repository,
    );
    if (missing.length > 0 && !quiet) {
      const message = missingSecretsMessage(missing);
      this.#parts.events.event(pod, 'Warning', 'FailedToRetrieveImagePullSecret', message);
    }
    return candidates;
  }

  async #fetch(wish: Wish, spec: ImageSpec, candidates: () => Promise<Credential[]>): Promise<Outcome> {
    const { backoff, flights, clock, events } = this.#parts;
    const { pod, container, image, controller } = wish;
    const uid = pod.metadata.uid;
    if (backoff.remaining(uid, image) > 0) {
      return { kind: 'failed', reason: 'ImagePullBackOff', message: backoff.message(uid, image) };
    }
    const logins = await candidates();
    controller.signal.throwIfAborted();
    events.event(pod, 'Normal', 'Pulling', `Pulling image ${quote(image)}`, container);
    const asked = clock.monotonic();
    const ticket = flights.join({ image, spec, candidates: logins, order: wish.number });
    const leave = (): void => ticket.leave();
    controller.signal.addEventListener('abort', leave, { once: true });
    try {
      const landed = await ticket.landed;
      controller.signal.throwIfAborted();
      backoff.collect();
      this.#reportPulled(wish, landed, clock.monotonic() - asked);
      const ready: ReadyState = { kind: 'ready', ref: landed.ref, image: landed.image };
      return ready;
    } catch (error) {
      controller.signal.throwIfAborted();
      return this.#pullFailed(wish, ticket, error);
    } finally {
      controller.signal.removeEventListener('abort', leave);
      ticket.leave();
    }
  }

  #reportPulled({ pod, container, image }: Wish, { image: found, pullMs }: Landed, waitedMs: number): void {
    // Who joined a flight late waited for less than the pull took.
    const times = `${goDuration(Math.min(pullMs, waitedMs))} (${goDuration(waitedMs)} including waiting)`;
    const message = `Successfully pulled image ${quote(image)} in ${times}. Image size: ${found.size} bytes.`;
    this.#parts.events.event(pod, 'Normal', 'Pulled', message, container);
  }

  #pullFailed({ pod, container, image }: Wish, ticket: Ticket, error: unknown): Refusal {
    const text = error instanceof ImagePullError ? error.message : runtimeErrorText(error);
    const { reason, message } = classifyPullError(image, text);
    const { backoff, events } = this.#parts;
    events.event(pod, 'Warning', 'Failed', `Failed to pull image ${quote(image)}: ${text}`, container);
    backoff.failed(pod.metadata.uid, image, { flight: ticket.flight, message: `${reason}: ${message}` });
    return { kind: 'failed', reason, message };
  }
}

import type { ImageService } from '#cri/runtime.ts';
import type { Image, ImageSpec } from '#cri/types.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { canonicalImageName } from '#lib/kube/image-name.ts';
import type { Logger } from '#lib/logger.ts';
import type { PriorityGate } from '#lib/priority-gate.ts';
import type { Credential } from './credential.ts';
import { ImagePullError } from './pull-error.ts';
import { pullImage } from './pull.ts';
import type { PullRecords } from './records/pull-records.ts';

export interface FlightRequest {
  /** The image as the pod's specification names it. */
  image: string;
  spec: ImageSpec;
  candidates: readonly Credential[];
  /** Of those that wait for their turn the smallest number goes first. */
  order: number;
}

export interface Landed {
  ref: string;
  image: Image;
  /** Milliseconds that the pull itself took, without waiting for its turn. */
  pullMs: number;
}

/** One pull, shared by all who want the same image with the same logins. */
export interface Ticket {
  /** The same for all who share the flight: its failure counts once. */
  readonly flight: object;
  /** Rejects with ImagePullError, or with the signal's reason once nobody wants it any more. */
  readonly landed: Promise<Landed>;
  /** Gives the ticket up; the last one to go ends the pull. */
  leave(): void;
}

interface Flight {
  readonly names: Set<string>;
  readonly controller: AbortController;
  readonly landed: Promise<Landed>;
  tickets: number;
}

export interface FlightOptions {
  service: ImageService;
  records: PullRecords;
  /** How many pulls may run at once. */
  gate: PriorityGate;
  clock: Clock;
  logger: Logger;
  pullDeadlineMs: number;
}

export class ImagePullCancelled extends ImagePullError {
  override readonly name = 'ImagePullCancelled';
}

/** Two pulls may share a flight only if they would show the registry the same logins, from the same places. */
function flightKey({ image, candidates }: FlightRequest): string {
  const logins = candidates.map(({ hash, source }) => [hash, source ?? null]);
  return JSON.stringify([canonicalImageName(image), logins]);
}

/** The pulls under way: one for each image and set of logins, a few at a time, in the order of asking. */
export class Flights {
  readonly #options: FlightOptions;
  readonly #flights = new Map<string, Flight>();

  constructor(options: FlightOptions) {
    this.#options = options;
  }

  join(request: FlightRequest): Ticket {
    const key = flightKey(request);
    const flight = this.#flights.get(key) ?? this.#depart(key, request);
    flight.names.add(request.image);
    flight.tickets++;
    let held = true;
    return {
      flight,
      landed: flight.landed,
      leave: () => {
        if (held && --flight.tickets === 0) this.#cancel(key, flight);
        held = false;
      },
    };
  }

  #depart(key: string, request: FlightRequest): Flight {
    const controller = new AbortController();
    const names = new Set<string>();
    const landed = this.#options.gate.run(request.order, controller.signal, () =>
      this.#fly(request, names, controller.signal),
    );
    const flight: Flight = { names, controller, landed, tickets: 0 };
    this.#flights.set(key, flight);
    const done = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    landed.then(done, done);
    return flight;
  }

  #cancel(key: string, flight: Flight): void {
    // Whoever asks from now on needs a flight of his own: this one will not land.
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.controller.abort(new ImagePullCancelled('nobody wants the image any more'));
  }

  async #fly(request: FlightRequest, names: ReadonlySet<string>, signal: AbortSignal): Promise<Landed> {
    const { service, records, clock, pullDeadlineMs, logger } = this.#options;
    const { image, spec, candidates } = request;
    const before = await this.#find(spec).catch(() => undefined);
    try {
      await records.begin(image);
    } catch (error) {
      const what = `Failed to record image pull intent for container image ${JSON.stringify(image)}`;
      throw new ImagePullError(`${what}: ${describeError(error)}`);
    }
    const began = clock.monotonic();
    logger.debug({ image, logins: candidates.length }, 'image pull begins');
    try {
      const { ref, used } = await pullImage(service, spec, candidates, {
        signal,
        deadlineMs: pullDeadlineMs,
      });
      const pullMs = clock.monotonic() - began;
      const found = (await this.#find(spec)) ?? (await this.#find({ image: ref }));
      if (found === undefined) {
        throw new ImagePullError(`image ${JSON.stringify(image)} is gone again after its pull`);
      }
      await records.pulled(image, names, found.id, used);
      return { ref, image: found, pullMs };
    } catch (error) {
      await this.#recordFailure(request, error, before);
      throw error;
    }
  }

  /**
   * A pull that ended without the runtime's verdict may have brought the image all the same: then it must not pass
   * for one that an administrator loaded.
   */
  async #recordFailure(
    { image, spec }: FlightRequest,
    error: unknown,
    before: Image | undefined,
  ): Promise<void> {
    const { records } = this.#options;
    if (error instanceof ImagePullError && !error.uncertain) {
      await records.failed(image);
      return;
    }
    try {
      const after = await this.#find(spec);
      await records.failed(image, after?.id === before?.id ? undefined : after?.id);
    } catch {
      records.abandoned(image);
    }
  }

  #find(spec: ImageSpec): Promise<Image | undefined> {
    return this.#options.service.imageStatus(spec);
  }
}

import { KeyedBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';

/** Upstream's: 10 s, doubling to 300 s. */
const INITIAL_MS = 10_000;
const MAX_MS = 300_000;
/** Who comes at the appointed time by the wall clock may be a little early by the other one. */
const SLACK_MS = 50;

interface Failure {
  /** What failed: everyone who shared it reports the same failure. */
  flight: object;
  message: string;
}

/** Back-off of pulls by pod and image, and what went wrong last. */
export class PullBackoff {
  readonly #clock: Clock;
  readonly #backoff = new KeyedBackoff(INITIAL_MS, MAX_MS);
  readonly #failures = new Map<string, Failure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a failed flight once for each pod and image, however many containers shared it. */
  failed(podUid: string, image: string, failure: Failure): void {
    const key = backoffKey(podUid, image);
    if (this.#failures.get(key)?.flight === failure.flight) return;
    this.collect();
    this.#backoff.next(key, this.#clock.monotonic());
    this.#failures.set(key, failure);
  }

  /** Whole milliseconds until the next pull may begin; 0: now. */
  remaining(podUid: string, image: string): number {
    const left = this.#backoff.remaining(backoffKey(podUid, image), this.#clock.monotonic());
    return left <= SLACK_MS ? 0 : Math.ceil(left);
  }

  /** The waiting message: the back-off and, where it is known, the failure that caused it. */
  message(podUid: string, image: string): string {
    const cause = this.#failures.get(backoffKey(podUid, image))?.message;
    return `${backoffMessage(image)}${cause === undefined ? '' : `: ${cause}`}`;
  }

  /** Forgets what is long over. */
  collect(): void {
    for (const key of this.#backoff.collect(this.#clock.monotonic())) this.#failures.delete(key);
  }
}

/** Upstream's key. */
const backoffKey = (podUid: string, image: string): string => `${podUid}_${image}`;

export const backoffMessage = (image: string): string => `Back-off pulling image ${JSON.stringify(image)}`;

import { isDeepStrictEqual } from 'node:util';
import type { RuntimeService } from '#cri/runtime.ts';
import type { RuntimeStatus } from '#cri/types.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { InternalError, asError } from '#lib/errors.ts';
import { RUNTIME_DOWN_AFTER_MS } from './node/runtime-troubles.ts';
import type { RuntimeWord } from './node/runtime-troubles.ts';

/** A runtime that doesn't say within this how it is counts as not answering. */
const STATUS_DEADLINE_MS = 5000;
/** While all is well, and while somebody waits for it to be well again. */
const GOOD_INTERVAL_MS = 2000;
const BAD_INTERVAL_MS = 500;

const isWell = (latest: RuntimeStatus | Error): boolean =>
  !(latest instanceof Error) &&
  ['RuntimeReady', 'NetworkReady'].every((type) =>
    latest.conditions.some((condition) => condition.type === type && condition.status),
  );

/** The runtime's own word on its state, asked for now and then for whoever looks at the node. */
export class RuntimeHealth {
  readonly #runtime: Pick<RuntimeService, 'status'>;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #timer: Timer | undefined;
  #stopped = true;
  #isDown = false;
  #last: { status: RuntimeStatus; at: number } | undefined;
  /** Its last answer, or why there was none. */
  latest: RuntimeStatus | Error = new InternalError('not asked yet');

  /** `onChange` is called when an answer differs from the one before. */
  constructor(runtime: Pick<RuntimeService, 'status'>, clock: Clock, onChange: () => void = () => undefined) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** What counts for the node: the last answer, however old. */
  get word(): RuntimeWord {
    if (this.#last === undefined) return { last: undefined };
    return { last: { status: this.#last.status, ageMs: this.#clock.monotonic() - this.#last.at } };
  }

  async refresh(): Promise<void> {
    const before = this.latest;
    const wasDown = this.#isDown;
    try {
      this.latest = await this.#runtime.status({ deadlineMs: STATUS_DEADLINE_MS });
      this.#last = { status: this.latest, at: this.#clock.monotonic() };
    } catch (error) {
      this.latest = asError(error);
    }
    const same =
      before instanceof Error ? this.latest instanceof Error : isDeepStrictEqual(before, this.latest);
    // Silence is news again when it has lasted too long.
    this.#isDown = (this.word.last?.ageMs ?? 0) >= RUNTIME_DOWN_AFTER_MS;
    if (!same || this.#isDown !== wasDown) this.#onChange();
  }

  start(): void {
    this.#stopped = false;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(isWell(this.latest) ? GOOD_INTERVAL_MS : BAD_INTERVAL_MS, () => {
      void this.refresh().finally(() => this.#schedule());
    });
  }
}

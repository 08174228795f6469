import type { Clock, Timer } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Outcome } from './outcome.ts';
import {
  type ProbeKind,
  type ProbeResult,
  type ProbeState,
  type ProbeTiming,
  beginProbe,
  firstProbeAt,
  pauseAfter,
  takeOutcome,
} from './probe-state.ts';

export interface ProbeLoopParts {
  clock: Clock;
  timing: ProbeTiming;
  /** Wall milliseconds. */
  startedAt: number;
  /** See firstProbeAt; 0 for a container that this process has started. */
  share: number;
  adopted?: ProbeResult | undefined;
  /** Makes one probe; what it rejects with says nothing of the container. */
  probe: (signal: AbortSignal) => Promise<Outcome>;
  /** Called with every outcome, after it has been taken in. */
  onOutcome: (outcome: Outcome, state: ProbeState, before: ProbeState) => void;
}

/** One probe of one container, from its start to its end; never two at once. */
export class ProbeLoop {
  readonly #parts: ProbeLoopParts;
  readonly #stopping = new AbortController();
  #state: ProbeState;
  #timer: Timer | undefined;
  #isStarted = false;

  constructor(kind: ProbeKind, parts: ProbeLoopParts) {
    this.#parts = parts;
    this.#state = beginProbe(kind, parts.adopted);
  }

  get result(): ProbeResult {
    return this.#state.result;
  }

  /** Begins to probe; does nothing the second time. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { clock, timing, startedAt, share } = this.#parts;
    const now = clock.now();
    this.#after(firstProbeAt(timing, { startedAt, now, share }) - now);
  }

  /** Ends a probe under way too. */
  stop(): void {
    this.#stopping.abort(new Error('the probe is not wanted any more'));
    this.#timer?.cancel();
  }

  #after(ms: number): void {
    if (this.#stopping.signal.aborted || this.#state.onHold) return;
    this.#timer = this.#parts.clock.after(ms, () => void this.#run());
  }

  async #run(): Promise<void> {
    const { clock, timing, onOutcome } = this.#parts;
    const began = clock.monotonic();
    const outcome = await this.#probe();
    if (this.#stopping.signal.aborted) return;
    const before = this.#state;
    if (outcome.kind !== 'error') {
      this.#state = takeOutcome(before, outcome.kind === 'failure' ? 'failure' : 'success', timing);
    }
    onOutcome(outcome, this.#state, before);
    this.#after(pauseAfter(timing.periodMs, clock.monotonic() - began));
  }

  async #probe(): Promise<Outcome> {
    try {
      return await this.#parts.probe(this.#stopping.signal);
    } catch (error) {
      return { kind: 'error', words: describeError(error) };
    }
  }
}

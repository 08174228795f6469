import { type Clock, sleep } from '#lib/clock.ts';

/** Times this close count as one: a path that comes and goes must not make everybody ask all the time. */
const CALM_MS = 5000;
/** A server that comes back is not asked everything in one moment. */
const SPREAD_MS = 1000;

/** Lets those that wait to ask a server again know that it answers others. */
export class ServerReturn {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #waiting = new Set<() => void>();
  #isAway = false;
  #toldAt = -Infinity;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** To be told of each call: whether anything was answered, whatever it was. */
  answered(isAnswered: boolean): void {
    if (!isAnswered) {
      this.#isAway = true;
      return;
    }
    const now = this.#clock.monotonic();
    if (!this.#isAway || now - this.#toldAt < CALM_MS) return;
    this.#isAway = false;
    this.#toldAt = now;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves after `ms`, or soon after the server has answered somebody again; rejects with the signal's reason. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const back = new AbortController();
    const wake = (): void => back.abort();
    this.#waiting.add(wake);
    try {
      await sleep(this.#clock, ms, AbortSignal.any([signal, back.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      await sleep(this.#clock, SPREAD_MS * this.#random(), signal);
    } finally {
      this.#waiting.delete(wake);
    }
  }
}

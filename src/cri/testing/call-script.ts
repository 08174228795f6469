import type { Clock } from '#lib/clock.ts';
import { RuntimeError } from '../errors.ts';
import type { RuntimeStatusCode } from '../errors.ts';
import type { CallOptions } from '../runtime.ts';

/** One call that a fake got. */
export interface FakeCall {
  /** CRI's name of the call. */
  verb: string;
  /** What it was about, for people: the pod's or the container's name, or the image. */
  target: string;
  args: readonly unknown[];
}

/** Calls of one verb that are held back until they are released. */
export interface Hold {
  /** How many calls wait here now. */
  readonly waiting: number;
  /** Lets the waiting calls through, and later ones too. */
  release(): void;
}

interface Failure {
  status: RuntimeStatusCode;
  details: string;
  answerOnly: boolean;
}

class Gate implements Hold {
  readonly #wakers = new Set<() => void>();
  readonly #opened: () => void;

  constructor(opened: () => void) {
    this.#opened = opened;
  }

  get waiting(): number {
    return this.#wakers.size;
  }

  release(): void {
    this.#opened();
    for (const wake of this.#wakers) wake();
  }

  /** Resolves when released; rejects when `refuse` is called through the returned function. */
  pass(arm: (refuse: (reason: Error) => void) => () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#wakers.delete(wake);
        disarm();
      };
      const wake = (): void => {
        settle();
        resolve();
      };
      this.#wakers.add(wake);
      const disarm = arm((reason) => {
        settle();
        reject(reason);
      });
    });
  }
}

/** What a test orders of a fake runtime, and the record of what the fake was asked. */
export class CallScript {
  readonly calls: FakeCall[] = [];
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failure[]>();
  readonly #gates = new Map<string, Gate>();
  /** Set while the runtime is down: every call is UNAVAILABLE. */
  down = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The verb's next call that has no failure yet fails. With `answerOnly` it does its work first and only the
   * answer is lost, as when a deadline passes while the runtime carries on.
   */
  failNext(
    verb: string,
    status: RuntimeStatusCode = 'UNKNOWN',
    details = `scripted failure`,
    options: { answerOnly?: boolean } = {},
  ): void {
    const failures = this.#failures.get(verb) ?? [];
    failures.push({ status, details, answerOnly: options.answerOnly ?? false });
    this.#failures.set(verb, failures);
  }

  /** Holds every call of the verb back (its deadline and its signal still end it) until released. */
  hang(verb: string): Hold {
    const gate = new Gate(() => this.#gates.delete(verb));
    this.#gates.set(verb, gate);
    return gate;
  }

  /** The calls of these verbs (all, if none is named) as `VERB TARGET`, in order. */
  log(...verbs: string[]): string[] {
    return this.calls
      .filter((call) => verbs.length === 0 || verbs.includes(call.verb))
      .map((call) => `${call.verb} ${call.target}`.trim());
  }

  /** Only the calls that change something, as `VERB TARGET`, in order. */
  changes(): string[] {
    return this.calls
      .filter((call) => /^(Run|Create|Start|Stop|Remove|Update|Pull)/.test(call.verb))
      .map((call) => `${call.verb} ${call.target}`.trim());
  }

  clear(): void {
    this.calls.length = 0;
  }

  /** Records the call, plays what was ordered for it, and else does its work. */
  async play<T>(
    call: FakeCall,
    deadlineMs: number | undefined,
    options: CallOptions | undefined,
    work: () => T | Promise<T>,
  ): Promise<T> {
    this.calls.push(call);
    const failures = this.#failures.get(call.verb);
    const failure = failures?.shift();
    // A call never answers in the same turn: the worker must not come to rely on it.
    await Promise.resolve();
    options?.signal?.throwIfAborted();
    if (this.down) throw new RuntimeError(call.verb, 'UNAVAILABLE', 'the fake runtime is down');
    await this.#gates
      .get(call.verb)
      ?.pass(this.limits(call.verb, options?.deadlineMs ?? deadlineMs, options?.signal));
    if (failure === undefined) return work();
    if (failure.answerOnly) await work();
    throw new RuntimeError(call.verb, failure.status, failure.details);
  }

  /** Arms a deadline and a signal; what it returns takes them away again. */
  limits(verb: string, deadlineMs: number | undefined, signal: AbortSignal | undefined) {
    return (refuse: (reason: Error) => void): (() => void) => {
      const abort = (): void => refuse(signal?.reason as Error);
      const timer =
        deadlineMs === undefined
          ? undefined
          : this.#clock.after(deadlineMs, () =>
              refuse(new RuntimeError(verb, 'DEADLINE_EXCEEDED', `no answer within ${deadlineMs} ms`)),
            );
      signal?.addEventListener('abort', abort, { once: true });
      return () => {
        timer?.cancel();
        signal?.removeEventListener('abort', abort);
      };
    };
  }
}

import { type Clock, sleep } from '#lib/clock.ts';

/**
 * What of attachable volumes is mounted here or about to be: the node's status carries it, so that no controller detaches
 * what is in use. A volume is mounted only after the API server has it.
 */
export class VolumesInUse {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  /** undefined until what earlier processes left is known. */
  #names: Set<string> | undefined;
  readonly #early = new Set<string>();
  #reported = new Set<string>();
  readonly #waiting = new Set<() => void>();

  /** `onChange` gets the status written. */
  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  adopt(names: Iterable<string>): void {
    this.#names = new Set([...names, ...this.#early]);
    this.#onChange();
  }

  /** undefined: not known yet. */
  list(): readonly string[] | undefined {
    return this.#names && [...this.#names];
  }

  /** The API server's copy of the node says so. */
  noteReported(names: readonly string[]): void {
    this.#reported = new Set(names);
    for (const look of this.#waiting) look();
  }

  add(name: string): void {
    const names = this.#names ?? this.#early;
    if (names.has(name)) return;
    names.add(name);
    this.#onChange();
  }

  remove(name: string): void {
    this.#early.delete(name);
    if (this.#names?.delete(name) === true) this.#onChange();
  }

  /** Adds the volume and waits until it is reported, for `patienceMs` at most; says whether it is. */
  async report(name: string, patienceMs: number, signal: AbortSignal): Promise<boolean> {
    this.add(name);
    if (this.#reported.has(name)) return true;
    const done = new AbortController();
    const look = (): void => {
      if (this.#reported.has(name)) done.abort();
    };
    this.#waiting.add(look);
    try {
      await sleep(this.#clock, patienceMs, AbortSignal.any([signal, done.signal]));
    } catch (error) {
      if (!done.signal.aborted) throw error;
    } finally {
      this.#waiting.delete(look);
    }
    return this.#reported.has(name);
  }
}

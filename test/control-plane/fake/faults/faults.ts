import { matches } from './match.ts';
import type { RequestFacts, RequestMatch } from './match.ts';

/** What happens to a request instead of, or besides, being served. */
export type Misbehaviour =
  /** Refused with this status; 429 and 503 may say when to come back. */
  | { type: 'refuse'; status: number; reason?: string; message?: string; retryAfterSeconds?: number }
  /** Served after this time; a client that has gone by then isn't, unless `anyway`. */
  | { type: 'delay'; ms: number; anyway?: boolean }
  /** Served at once, and the answer is sent after this time. */
  | { type: 'answer-late'; ms: number }
  /** Read and never answered; the connection stays. */
  | { type: 'hang' }
  /** The connection is cut before the request is served. */
  | { type: 'cut' }
  /** The request is served and the connection cut before the answer is sent. */
  | { type: 'lose-answer' };

export interface Fault {
  /** How many requests it has met. */
  readonly hits: number;
  /** Ends it; requests that hang are then cut off. */
  stop(): void;
}

interface Entry {
  match: RequestMatch;
  misbehaviour: Misbehaviour;
  left: number;
  hits: number;
  ended: AbortController;
}

/** The misbehaviours in force; the newest that matches wins. */
export class Faults {
  #entries: Entry[] = [];

  /** Until stopped, or for so many requests. */
  add(match: RequestMatch, misbehaviour: Misbehaviour, times = Infinity): Fault {
    const entry: Entry = { match, misbehaviour, left: times, hits: 0, ended: new AbortController() };
    this.#entries.unshift(entry);
    return {
      get hits() {
        return entry.hits;
      },
      stop: () => {
        entry.left = 0;
        entry.ended.abort();
        this.#entries = this.#entries.filter((each) => each !== entry);
      },
    };
  }

  clear(): void {
    for (const { ended } of this.#entries) ended.abort();
    this.#entries = [];
  }

  /** Counts the request. `ended` fires when the fault is stopped. */
  take(facts: RequestFacts): { misbehaviour: Misbehaviour; ended: AbortSignal } | undefined {
    const entry = this.#entries.find(({ match, left }) => left > 0 && matches(match, facts));
    if (entry === undefined) return undefined;
    entry.left -= 1;
    entry.hits += 1;
    return { misbehaviour: entry.misbehaviour, ended: entry.ended.signal };
  }
}

/** What of a stream of events is worth a write: client-go's rules (tools/record, events_cache). */
import type { Clock } from '#lib/clock.ts';
import type { Event } from '#lib/kube/types.ts';
import { RecentMap } from '#lib/recent-map.ts';
import { apiTime } from '../status/time.ts';

/** An event to be written: as a new object, or as a new count of one that was written before. */
export interface EventWrite {
  event: Event;
  patch: { count: number; lastTimestamp: string; message: string } | undefined;
}

const CAPACITY = 4096;
/** So many different messages of one reason within the interval become one event. */
const SIMILAR = 10;
const SIMILAR_MS = 600_000;
/** An object may have so many events at once, and one more every five minutes. */
const BURST = 25;
const REFILL_MS = 300_000;
const COMBINED = '(combined from similar events): ';

export class EventCorrelator {
  readonly #clock: Clock;
  readonly #similar = new RecentMap<string, { messages: Set<string>; at: number }>(CAPACITY);
  readonly #written = new RecentMap<string, { name: string; count: number; first: string }>(CAPACITY);
  readonly #buckets = new RecentMap<string, { tokens: number; at: number }>(CAPACITY);
  #names = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `event` as it happened, once. Undefined where it is one too many for its object. */
  correlate(event: Event): EventWrite | undefined {
    const [combined, key] = this.#combine(event);
    const write = this.#observe(combined, key);
    return this.#isSpam(event) ? undefined : write;
  }

  #combine(event: Event): [Event, string] {
    const now = this.#clock.now();
    const key = keyOf([...aboutObject(event), event.type, event.reason]);
    const known = this.#similar.get(key);
    const similar =
      known === undefined || now - known.at > SIMILAR_MS ? { messages: new Set<string>(), at: now } : known;
    similar.messages.add(event.message ?? '');
    similar.at = now;
    this.#similar.set(key, similar);
    if (similar.messages.size < SIMILAR) {
      return [
        event,
        keyOf([
          ...aboutObject(event),
          event.involvedObject.fieldPath,
          event.type,
          event.reason,
          event.message,
        ]),
      ];
    }
    // Just below the limit, so that the next different message is combined as well.
    const [first] = similar.messages;
    similar.messages.delete(first ?? '');
    return [{ ...event, message: `${COMBINED}${event.message ?? ''}` }, key];
  }

  #observe(event: Event, key: string): EventWrite {
    const before = this.#written.get(key);
    const now = apiTime(this.#clock.now());
    const count = (before?.count ?? 0) + 1;
    const name = before?.name ?? `${event.involvedObject.name}.${this.#nextName()}`;
    const first = before?.first ?? now;
    this.#written.set(key, { name, count, first });
    return {
      event: {
        ...event,
        metadata: {
          name,
          ...(event.metadata.namespace === undefined ? {} : { namespace: event.metadata.namespace }),
        },
        count,
        firstTimestamp: first,
        lastTimestamp: now,
      },
      patch: before && { count, lastTimestamp: now, message: event.message ?? '' },
    };
  }

  #isSpam(event: Event): boolean {
    const now = this.#clock.monotonic();
    const key = keyOf([...aboutObject(event), event.type]);
    const bucket = this.#buckets.get(key) ?? { tokens: BURST, at: now };
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    this.#buckets.set(key, bucket);
    if (bucket.tokens < 1) return true;
    bucket.tokens--;
    return false;
  }

  /** Nanoseconds in hexadecimal, as upstream names events; never twice the same. */
  #nextName(): string {
    const now = BigInt(this.#clock.now()) * 1_000_000n;
    this.#names = now > this.#names ? now : this.#names + 1n;
    return this.#names.toString(16);
  }
}

const keyOf = (parts: readonly (string | undefined)[]): string => parts.map((part) => part ?? '').join('\0');

function aboutObject({ source, involvedObject: about }: Event): (string | undefined)[] {
  return [
    source?.component,
    source?.host,
    about.kind,
    about.namespace,
    about.name,
    about.uid,
    about.apiVersion,
  ];
}

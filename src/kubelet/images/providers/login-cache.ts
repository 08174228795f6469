import type { Clock } from '#lib/clock.ts';
import type { RegistryLogin } from '../credential.ts';

type Logins = ReadonlyMap<string, RegistryLogin>;

/** Answers of one provider until they end. */
export class LoginCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { logins: Logins; until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The first answer that one of the keys has. */
  find(keys: readonly string[]): Logins | undefined {
    const now = this.#clock.monotonic();
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) return entry.logins;
    }
    return undefined;
  }

  keep(key: string, logins: Logins, ms: number): void {
    if (ms > 0) this.#entries.set(key, { logins, until: this.#clock.monotonic() + ms });
  }
}

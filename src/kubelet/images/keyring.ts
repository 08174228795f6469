import { Credential } from './credential.ts';
import type { RegistryLogin, SecretSource, ServiceAccountSource } from './credential.ts';
import { isDefaultRegistry, registryKey, registryMatches } from './registry-pattern.ts';

const DOCKER_HUB_KEY = 'index.docker.io';

/** Registry logins by the addresses that they are for. */
export class Keyring {
  readonly #byKey = new Map<string, Credential[]>();

  /**
   * Adds a docker configuration's logins; `source` is the Secret that they come from, undefined for the node's own.
   * Returns how many entries were left out because their registry isn't an address.
   */
  add(
    logins: ReadonlyMap<string, RegistryLogin>,
    source: SecretSource | undefined,
    account?: ServiceAccountSource,
  ): number {
    let refused = 0;
    for (const [registry, login] of logins) {
      const key = registryKey(registry);
      if (key === undefined) refused++;
      else this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), new Credential(login, source, account)]);
    }
    return refused;
  }

  /**
   * Every login for a repository (`docker.io/library/busybox`), most specific address first: there may be several
   * while a password is being changed. Empty: pull without.
   */
  lookup(repository: string): Credential[] {
    const found = [...this.#byKey.keys()]
      .sort((a, b) => (a > b ? -1 : 1))
      .filter((key) => registryMatches(key, repository))
      .flatMap((key) => this.#byKey.get(key) ?? []);
    if (found.length > 0 || !isDefaultRegistry(repository)) return found;
    return this.#byKey.get(DOCKER_HUB_KEY) ?? [];
  }
}

import type { CheckedPair, KeyPair } from './key-pair.ts';

/** The pair that is served, and who wants to know of another. */
export class ServedPair {
  readonly #listeners = new Set<() => void>();
  #pair: CheckedPair | undefined;

  get pair(): CheckedPair | undefined {
    return this.#pair;
  }

  current(): KeyPair | undefined {
    return this.#pair;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** True if that is another pair than before. */
  set(pair: CheckedPair): boolean {
    const isSame = this.#pair?.leaf.fingerprint === pair.leaf.fingerprint && this.#pair.cert === pair.cert;
    this.#pair = pair;
    if (isSame) return false;
    for (const listener of this.#listeners) listener();
    return true;
  }
}

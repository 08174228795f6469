import type { Credentials, Identity, TlsMaterial } from '../credentials.ts';

/** Credentials that a test changes by hand. */
export class StaticCredentials implements Credentials {
  readonly server: URL;
  readonly #listeners = new Set<() => void>();
  #identity: Identity;
  /** What the next refusal makes current. */
  afterRefusal: Partial<TlsMaterial & { authorization: string }> | undefined;
  refusals = 0;

  constructor(url: string, material: Partial<TlsMaterial & { authorization: string }> = {}) {
    this.server = new URL(url);
    const none = { ca: undefined, cert: undefined, key: undefined, serverName: undefined, insecure: false };
    this.#identity = { tls: none, headers: {} };
    this.set(material);
  }

  set({ authorization, ...tls }: Partial<TlsMaterial & { authorization: string }>): void {
    const hasTls = Object.keys(tls).length > 0;
    this.#identity = {
      tls: hasTls ? { ...this.#identity.tls, ...tls } : this.#identity.tls,
      headers: authorization === undefined ? this.#identity.headers : { authorization },
    };
    if (hasTls) for (const listener of this.#listeners) listener();
  }

  async current(signal: AbortSignal): Promise<Identity> {
    signal.throwIfAborted();
    return this.#identity;
  }

  async refused(identity: Identity): Promise<boolean> {
    this.refusals += 1;
    if (this.afterRefusal !== undefined) this.set(this.afterRefusal);
    this.afterRefusal = undefined;
    return this.#identity !== identity;
  }

  onTlsChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

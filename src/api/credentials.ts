/** How to speak TLS with the API server. PEM throughout. */
export interface TlsMaterial {
  /** What to trust instead of the machine's certificates. */
  readonly ca: string | undefined;
  /** The client's certificate chain and its key: both or neither. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Asked for and checked instead of the host's name. */
  readonly serverName: string | undefined;
  /** True: whoever answers is taken for the server. */
  readonly insecure: boolean;
}

/** What one call goes out with. */
export interface Identity {
  /** Equal by identity (`===`) while nothing changed: connections made with another object are out of date. */
  readonly tls: TlsMaterial;
  /** `authorization` and impersonation; secret. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Who the agent is for the API server, and how it knows the server. Files that hold parts of it are looked at again
 * while it is used.
 */
export interface Credentials {
  /** http or https; may have a path that precedes every request's. */
  readonly server: URL;
  /** Rejects with a NodeletError that names what is wrong and holds no secret, or with the signal's reason. */
  current(signal: AbortSignal): Promise<Identity>;
  /**
   * The server refused `identity` (401, or a TLS alert): looks at everything again at once. Resolves with whether
   * `current` now differs, so that another try makes sense.
   */
  refused(identity: Identity, signal: AbortSignal): Promise<boolean>;
  /** Calls back when connections should be made anew, because the TLS material changed. Returns the unsubscription. */
  onTlsChange(listener: () => void): () => void;
}

import type { KeyPair } from './key-pair.ts';
import type { IdentityState } from './state.ts';

/** The certificate of the node's own HTTPS port. */
export interface ServingCertificate {
  /** What to serve now; undefined: nothing yet, refuse connections. */
  current(): KeyPair | undefined;
  /** Calls back when `current` changed. Returns the unsubscription. */
  onChange(listener: () => void): () => void;
  readonly state: IdentityState;
  /** Finds the certificate and keeps it fresh. Rejects with the signal's reason only. */
  run(signal: AbortSignal): Promise<never>;
}

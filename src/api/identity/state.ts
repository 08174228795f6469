/** How things stand with a certificate, for `nodelet explain` and logs. Times are wall time in milliseconds. */
export interface IdentityState {
  /** The certificate's common name; undefined where there is no certificate. */
  readonly subject: string | undefined;
  readonly notAfter: number | undefined;
  /** Undefined where it isn't renewed. */
  readonly nextRotation: number | undefined;
  /** What is wrong or waited for, in words for people. */
  readonly trouble: string | undefined;
}

/** For metrics (upstream's `certificate_manager_*`). */
export interface IdentityObserver {
  /** A certificate was replaced by its successor; `livedMs` after it began. */
  rotated?: (livedMs: number) => void;
  /** An attempt to get a certificate failed. */
  failed?: () => void;
}

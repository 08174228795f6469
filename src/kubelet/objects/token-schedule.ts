/** When a service account token is renewed (pkg/kubelet/token of 1.36): pure arithmetic in milliseconds. */

const MAX_AGE_MS = 24 * 3600 * 1000;
const MAX_JITTER_MS = 10_000;
/** The last part of its life in which a token is renewed. */
const LAST_PART = 0.2;

export interface TokenTimes {
  /** Its age from which it is to be renewed, and from which it is good for nothing. */
  renewAfterMs: number;
  expiresAfterMs: number;
}

/** `random`: 0 to 1, so that the tokens of pods that started together aren't renewed together. */
export function tokenTimes(lifetimeMs: number, random: number): TokenTimes {
  const due = Math.min(MAX_AGE_MS, lifetimeMs * (1 - LAST_PART));
  return { renewAfterMs: Math.max(0, due - random * MAX_JITTER_MS), expiresAfterMs: lifetimeMs };
}

import type { Leaf } from './key-pair.ts';

/** When to renew: as soon as either time has come. */
export interface RotationPlan {
  /** Wall time in milliseconds. */
  readonly wallAt: number;
  /** Monotonic time in milliseconds: holds when the wall clock is set back. */
  readonly monotonicAt: number;
}

export interface Moment {
  now: number;
  monotonic: number;
}

/**
 * Renews after 70 to 90 % of the lifetime (`share`: a random number from 0 to 1 says where between, so that nodes of
 * one age don't come all at once), as upstream does. `isFresh`: the certificate was signed just now, so that a wall
 * clock which finds it old is wrong, and only the monotonic clock counts.
 */
export function planRotation(leaf: Leaf, share: number, at: Moment, isFresh: boolean): RotationPlan {
  const age = Math.round((leaf.notAfter - leaf.notBefore) * (0.7 + 0.2 * share));
  const wallAt = leaf.notBefore + age;
  if (!isFresh) return { wallAt, monotonicAt: at.monotonic + Math.max(0, wallAt - at.now) };
  return { wallAt: wallAt > at.now ? wallAt : Infinity, monotonicAt: at.monotonic + age };
}

/** Milliseconds until the renewal is due; 0 where it is. */
export function untilRotation(plan: RotationPlan, at: Moment): number {
  return Math.max(0, Math.min(plan.wallAt - at.now, plan.monotonicAt - at.monotonic));
}

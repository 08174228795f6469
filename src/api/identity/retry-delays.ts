import { RequestRefusedError, WrongCertificateError } from './errors.ts';

/** A number from 0 up to 1, as Math.random gives. */
export type Random = () => number;

/** What was refused stays in the cluster as an object: ask rarely in the end, however urgent. */
const REFUSED_MAX_MS = 300_000;

/**
 * Milliseconds until the next attempt after `failures` in a row (1 at first): a second, doubling up to `maxMs`, each up
 * to a fifth shorter or longer. `error`: how the last one failed.
 */
export function retryDelay(failures: number, maxMs: number, error: unknown, random: Random): number {
  const max = isSpent(error) ? REFUSED_MAX_MS : maxMs;
  return spread(Math.min(1000 * 2 ** (failures - 1), max), random);
}

/** Whether a signing request is decided in a way that asking for it again with the same key is no use. */
export const isSpent = (error: unknown): boolean =>
  error instanceof RequestRefusedError || error instanceof WrongCertificateError;

/**
 * Milliseconds between looks at a signing request: short while a controller may approve it, long where a person has to.
 */
export function* pollDelays(random: Random): Generator<number, never> {
  for (let look = 0; ; look++) yield spread(look < 20 ? 500 : look < 50 ? 2000 : 10_000, random);
}

const spread = (ms: number, random: Random): number => ms * (0.8 + 0.4 * random());

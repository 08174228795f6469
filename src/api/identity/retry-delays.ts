/** A number from 0 up to 1, as Math.random gives. */
export type Random = () => number;

/** Milliseconds between attempts: doubling from `firstMs` to `maxMs`, each up to a fifth shorter or longer. */
export function* retryDelays(random: Random, firstMs: number, maxMs: number): Generator<number, never> {
  for (let delay = firstMs; ; delay = Math.min(delay * 2, maxMs)) yield spread(delay, random);
}

/**
 * Milliseconds between looks at a signing request: short while a controller may approve it, long where a person has to.
 */
export function* pollDelays(random: Random): Generator<number, never> {
  for (let look = 0; ; look++) yield spread(look < 20 ? 500 : look < 50 ? 2000 : 10_000, random);
}

const spread = (ms: number, random: Random): number => ms * (0.8 + 0.4 * random());

/**
 * Both at once. Where one rejects, the other's signal aborts, and the first error comes once both have come to their end:
 * nothing goes on behind the caller's back.
 */
export async function together<A, B>(
  signal: AbortSignal,
  a: (signal: AbortSignal) => Promise<A>,
  b: (signal: AbortSignal) => Promise<B>,
): Promise<[A, B]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let first: { error: unknown } | undefined;
  const note = (error: unknown): never => {
    first ??= { error };
    failed.abort(error);
    throw error;
  };
  const results = await Promise.allSettled([a(either).catch(note), b(either).catch(note)]);
  const [left, right] = results;
  if (left.status === 'fulfilled' && right.status === 'fulfilled') return [left.value, right.value];
  throw first?.error;
}

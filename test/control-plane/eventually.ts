import { setTimeout as wait } from 'node:timers/promises';

/** Polls until the call gives something other than undefined or false; a rejection counts as not yet. */
export async function eventually<T>(
  call: () => Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let trouble: unknown;
  for (;;) {
    try {
      const value = await call();
      if (value !== undefined && value !== false) return value;
      trouble = undefined;
    } catch (error) {
      trouble = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms`, { cause: trouble });
    await wait(50);
  }
}

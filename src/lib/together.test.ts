import { expect, test } from 'vitest';
import { together } from './together.ts';

const forever = new AbortController().signal;
const untilAborted = (signal: AbortSignal, log: string[]): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () =>
      setTimeout(() => {
        log.push('cleaned up');
        reject(signal.reason as Error);
      }, 5),
    );
  });

test('gives what both give, and runs them at the same time', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const both = together(
    forever,
    async () => {
      await promise;
      return 1;
    },
    async () => {
      resolve();
      return 'two';
    },
  );
  expect(await both).toEqual([1, 'two']);
});

test.each([true, false])('an error ends the other one first (%s)', async (isFirst) => {
  const log: string[] = [];
  const fails = (): Promise<never> => Promise.reject(new Error('no'));
  const waits = (signal: AbortSignal): Promise<never> => untilAborted(signal, log);
  const both = isFirst ? together(forever, fails, waits) : together(forever, waits, fails);
  await expect(both.then(() => undefined)).rejects.toThrow('no');
  expect(log).toEqual(['cleaned up']);
});

test('the caller’s signal ends both', async () => {
  const log: string[] = [];
  const end = new AbortController();
  const waits = (signal: AbortSignal): Promise<never> => untilAborted(signal, log);
  const both = together(end.signal, waits, waits);
  end.abort(new Error('stop'));
  await expect(both).rejects.toThrow('stop');
  expect(log).toEqual(['cleaned up', 'cleaned up']);
});

import type { Logger } from '#lib/logger.ts';

/** When the process is told to end: a promise for who waits, a signal for what is under way. */
export function untilTold(log: Logger): { told: Promise<void>; signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  // The clock's timers don't keep the process alive, and between two calls there may be nothing else.
  const alive = setInterval(() => undefined, 2 ** 30);
  const told = new Promise<void>((resolve) => {
    const end = (name: NodeJS.Signals): void => {
      log.info({ signal: name }, 'ending; pods run on');
      controller.abort(new Error(`ended by ${name}`));
      resolve();
    };
    process.once('SIGTERM', end);
    process.once('SIGINT', end);
  });
  return { told, signal: controller.signal, release: () => clearInterval(alive) };
}

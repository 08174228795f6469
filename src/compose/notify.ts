import { systemClock } from '#host/clock.ts';
import { sdNotify } from '#host/sd-notify.ts';
import type { Logger } from '#lib/logger.ts';

/** Tells systemd, if it listens, that the agent is up, and from then on that it lives; until the signal. */
export async function tellSystemd(log: Logger, signal: AbortSignal): Promise<void> {
  const notify = await sdNotify(process.env, systemClock, log.child({ component: 'systemd' }));
  if (notify === undefined) return;
  await notify.ready();
  // The timer runs where everything else does: a loop that hangs doesn't reach it.
  void notify.watch(() => true, signal);
}

/**
 * Tells systemd how the service is (sd_notify(3)). Node has no datagram sockets of the file system, so a small program
 * of systemd's own sends the words: the unit needs NotifyAccess=all.
 */
import { sleep, type Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import { findProgram, programFolders } from './find-program.ts';
import { run } from './process.ts';

const deadlineMs = 5000;

/** Sends words such as `READY=1`; rejects where that fails. */
export type SendWords = (words: readonly string[], signal: AbortSignal | undefined) => Promise<void>;

/** Sends by the program systemd-notify, which finds the socket in its environment. */
export function notifyByProgram(program: string, env: NodeJS.ProcessEnv): SendWords {
  return async (words, signal) => {
    await run(program, ['--', ...words], {
      timeoutMs: deadlineMs,
      env,
      ...(signal === undefined ? {} : { signal }),
    });
  };
}

/** How often systemd wants to hear of this process, in milliseconds; undefined: not at all. */
export function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const usec = Number(env['WATCHDOG_USEC'] ?? '0');
  const forPid = env['WATCHDOG_PID'];
  if (!Number.isFinite(usec) || usec <= 0) return undefined;
  return forPid === undefined || Number(forPid) === pid ? usec / 1000 : undefined;
}

export interface SdNotifyParts {
  send: SendWords;
  /** undefined: no watchdog. */
  watchdogMs: number | undefined;
  clock: Clock;
  logger: Logger;
}

/** What a service says of itself. Nothing here fails: who doesn't hear of us restarts us. */
export class SdNotify {
  readonly #parts: SdNotifyParts;

  constructor(parts: SdNotifyParts) {
    this.#parts = parts;
  }

  /** `Type=notify` waits for this. */
  ready(): Promise<void> {
    return this.#say(['READY=1']);
  }

  stopping(): Promise<void> {
    return this.#say(['STOPPING=1']);
  }

  /**
   * Tells twice in each of systemd's intervals that the process lives, as long as `isAlive` says so; ends with the
   * signal. Without a watchdog it ends at once.
   */
  async watch(isAlive: () => boolean, signal: AbortSignal): Promise<void> {
    const { watchdogMs: interval, clock, logger } = this.#parts;
    if (interval === undefined) return;
    while (!signal.aborted) {
      if (isAlive()) await this.#say(['WATCHDOG=1'], signal);
      else logger.error({}, 'the agent does not answer itself: systemd will not hear of it');
      try {
        await sleep(clock, interval / 2, signal);
      } catch {
        return;
      }
    }
  }

  async #say(words: readonly string[], signal?: AbortSignal): Promise<void> {
    try {
      await this.#parts.send(words, signal);
    } catch (err) {
      if (signal?.aborted !== true) this.#parts.logger.warn({ err, words }, 'systemd can’t be told');
    }
  }
}

/**
 * The notifier of this process, or undefined where nobody listens (no NOTIFY_SOCKET). Where somebody listens and
 * systemd-notify is missing, it is undefined too, and the log says so.
 */
export async function sdNotify(
  env: NodeJS.ProcessEnv,
  clock: Clock,
  logger: Logger,
): Promise<SdNotify | undefined> {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return undefined;
  const program = await findProgram('systemd-notify', programFolders(env['PATH']));
  if (program === undefined) {
    logger.error(
      {},
      'NOTIFY_SOCKET is set and there is no systemd-notify: install systemd, or use Type=exec',
    );
    return undefined;
  }
  const send = notifyByProgram(program, env);
  return new SdNotify({ send, watchdogMs: watchdogMs(env, process.pid), clock, logger });
}

import { abortable } from '#lib/abortable.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import type { PodEvents } from '../pod/ports.ts';
import type { Hook, HookRunner, HookedContainer } from './run-hook.ts';

interface Run {
  ended: Promise<void>;
  abort: AbortController;
}

/**
 * The preStop hooks of containers that are being stopped, each run once: who stops a container anew, say because it is
 * to go sooner, waits for the hook that runs.
 */
export class PreStops {
  readonly #runner: HookRunner;
  readonly #events: PodEvents;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #runs = new Map<string, Run>();

  constructor(parts: { runner: HookRunner; events: PodEvents; clock: Clock; log: Logger }) {
    this.#runner = parts.runner;
    this.#events = parts.events;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /**
   * Resolves when the hook has ended, well or not, or after `graceMs`; then it may go on until `stopped`. Rejects with
   * the signal's reason, while the hook goes on.
   */
  async run(of: HookedContainer, hook: Hook, graceMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let run = this.#runs.get(of.id);
    if (run === undefined) this.#runs.set(of.id, (run = this.#begin(of, hook)));
    let timer: { cancel(): void } | undefined;
    const graceIsOver = new Promise<void>((resolve) => {
      timer = this.#clock.after(graceMs, resolve);
    });
    try {
      await abortable(Promise.race([run.ended, graceIsOver]), signal);
    } finally {
      timer?.cancel();
    }
  }

  /** The container has stopped: so has its hook. */
  stopped(id: string): void {
    this.#runs.get(id)?.abort.abort(new Error('the container has stopped'));
    this.#runs.delete(id);
  }

  #begin(of: HookedContainer, hook: Hook): Run {
    const abort = new AbortController();
    const ended = this.#runner.run(of, hook, abort.signal).catch((error: unknown) => {
      if (abort.signal.aborted) return;
      const { pod, container } = of;
      this.#events.event(pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed', container.name);
      this.#log.debug({ uid: pod.metadata.uid, container: container.name, err: error }, 'PreStopHook failed');
    });
    return { ended, abort };
  }
}

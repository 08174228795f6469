import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { asError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { retryPause } from './retry.ts';

export interface PodCidrOptions {
  runtime: { updatePodCidr(podCidr: string, options?: { signal?: AbortSignal }): Promise<void> };
  clock: Clock;
  logger: Logger;
}

/** Hands the range of the node's pods to the runtime, whose network set-up may wait for it. */
export class PodCidr {
  readonly #options: PodCidrOptions;
  #wanted = '';
  #busy: AbortController | undefined;

  constructor(options: PodCidrOptions) {
    this.#options = options;
  }

  /** Ranges of one node, at most one a family; an empty list changes nothing. */
  set(ranges: readonly string[]): void {
    const wanted = ranges.join(',');
    if (wanted === '' || wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#busy?.abort();
    this.#busy = new AbortController();
    void this.#tell(wanted, this.#busy.signal);
  }

  stop(): void {
    this.#busy?.abort();
  }

  async #tell(podCidr: string, signal: AbortSignal): Promise<void> {
    const { runtime, clock, logger } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      try {
        await runtime.updatePodCidr(podCidr, { signal });
        logger.info({ podCidr }, 'the runtime knows the range of the pods');
        return;
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        logger.warn(
          { err: asError(error), podCidr, failures },
          "the runtime doesn't take the range of the pods",
        );
        await sleep(clock, retryPause(failures), signal).catch(() => undefined);
      }
    }
  }
}

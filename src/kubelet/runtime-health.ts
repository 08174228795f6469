import type { RuntimeService } from '#cri/runtime.ts';
import type { RuntimeStatus } from '#cri/types.ts';
import { InternalError, asError } from '#lib/errors.ts';

/** A runtime that doesn't say within this how it is counts as not answering. */
const STATUS_DEADLINE_MS = 5000;
const INTERVAL_MS = 10_000;

/** The runtime's own word on its state, asked for now and then for whoever looks at the node. */
export class RuntimeHealth {
  readonly #runtime: Pick<RuntimeService, 'status'>;
  #timer: NodeJS.Timeout | undefined;
  /** Its last answer, or why there was none. */
  latest: RuntimeStatus | Error = new InternalError('not asked yet');

  constructor(runtime: Pick<RuntimeService, 'status'>) {
    this.#runtime = runtime;
  }

  async refresh(): Promise<void> {
    try {
      this.latest = await this.#runtime.status({ deadlineMs: STATUS_DEADLINE_MS });
    } catch (error) {
      this.latest = asError(error);
    }
  }

  start(): void {
    this.#timer = setInterval(() => void this.refresh(), INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

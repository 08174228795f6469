import { readText, writeAtomic } from '#host/files.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import type { Service } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { ServiceLister } from './ports.ts';

export interface KeptServicesParts {
  services: ServiceLister;
  /** Where the newest list is kept; its folder is there by the time that `start` is called. */
  file: string;
  /** How long the API server is waited for. */
  afterMs: number;
  clock: Clock;
  log: Logger;
}

/** After a change; a list that changes all the time is not written all the time. */
const WRITE_AFTER_MS = 5000;

/**
 * The services of the API server, and where it does not answer for a while after a start, those of an earlier agent:
 * without any, no container that has their addresses in its environment could be started.
 */
export class KeptServices implements ServiceLister {
  readonly #parts: KeptServicesParts;
  readonly #handlers: (() => void)[] = [];
  readonly #stoodIn = Promise.withResolvers<void>();
  #kept: readonly Service[] | undefined;
  #isToBeWritten = false;
  #written: string | undefined;

  constructor(parts: KeptServicesParts) {
    this.#parts = parts;
    parts.services.onChange(() => {
      this.#tell();
      this.#writeSoon();
    });
  }

  /** Reads what an earlier agent kept; a file that can't be read counts as none. */
  async start(): Promise<void> {
    const { file, log } = this.#parts;
    const found = await readKept(file).catch((error: unknown) => {
      log.warn({ file, reason: describeError(error) }, 'the kept services can’t be read');
    });
    // The first list may have come before anybody asked to be told of it.
    if (this.#parts.services.hasSynced) this.#writeSoon();
    else if (found !== undefined) this.#standInAfter(found);
  }

  #standInAfter(found: readonly Service[]): void {
    const { afterMs, clock } = this.#parts;
    clock.after(afterMs, () => {
      if (this.#parts.services.hasSynced) return;
      this.#kept = found;
      this.#stoodIn.resolve();
      this.#tell();
    });
  }

  get hasSynced(): boolean {
    return this.#parts.services.hasSynced || this.#kept !== undefined;
  }

  list(): readonly Service[] {
    const { services } = this.#parts;
    return services.hasSynced ? services.list() : (this.#kept ?? []);
  }

  synced(signal: AbortSignal): Promise<void> {
    return Promise.race([this.#parts.services.synced(signal), this.#stoodIn.promise]);
  }

  onChange(handler: () => void): void {
    this.#handlers.push(handler);
  }

  #tell(): void {
    for (const handler of this.#handlers) handler();
  }

  #writeSoon(): void {
    if (this.#isToBeWritten) return;
    this.#isToBeWritten = true;
    this.#parts.clock.after(WRITE_AFTER_MS, () => {
      this.#isToBeWritten = false;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    const { services, file, log } = this.#parts;
    const text = JSON.stringify(services.list());
    if (!services.hasSynced || text === this.#written) return;
    try {
      await writeAtomic(file, text, 0o600);
      this.#written = text;
    } catch (error) {
      log.warn(
        { file, reason: describeError(error) },
        'the services can’t be kept for a start without API server',
      );
    }
  }
}

async function readKept(file: string): Promise<Service[] | undefined> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? (value as Service[]) : undefined;
}

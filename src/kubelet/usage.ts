import type { RuntimeService } from '#cri/runtime.ts';
import type { ContainerStats } from '#cri/types.ts';
import { type Clock, sleep } from '#lib/clock.ts';
import type { UsageView } from '#server/view.ts';
import { CONTAINER_NAME_LABEL, POD_NAMESPACE_LABEL, POD_NAME_LABEL } from './pod/labels.ts';

/** A rate needs two samples at least this far apart, and not so far that it tells of the past. */
const MIN_GAP_MS = 500;
const MAX_GAP_MS = 60_000;

/** What containers use of processor and memory, asked of the runtime when somebody wants to know. */
export class UsageMeter {
  readonly #runtime: RuntimeService;
  readonly #clock: Clock;
  #last: { at: number; stats: Map<string, ContainerStats> } | undefined;

  constructor(runtime: RuntimeService, clock: Clock) {
    this.#runtime = runtime;
    this.#clock = clock;
  }

  async usage(signal: AbortSignal): Promise<UsageView[]> {
    const age = this.#clock.monotonic() - (this.#last?.at ?? -Infinity);
    if (age > MAX_GAP_MS) await this.#sample(signal);
    if (age > MAX_GAP_MS || age < MIN_GAP_MS) await sleep(this.#clock, MIN_GAP_MS, signal);
    const before = this.#last?.stats ?? new Map<string, ContainerStats>();
    const now = await this.#sample(signal);
    return [...now.values()].map((stats) => ({
      namespace: stats.labels[POD_NAMESPACE_LABEL] ?? '',
      pod: stats.labels[POD_NAME_LABEL] ?? '',
      container: stats.labels[CONTAINER_NAME_LABEL] ?? stats.metadata.name,
      cpuCores: cores(before.get(stats.id), stats),
      memoryBytes: stats.memory?.workingSetBytes,
    }));
  }

  async #sample(signal: AbortSignal): Promise<Map<string, ContainerStats>> {
    const list = await this.#runtime.listContainerStats(undefined, { signal });
    const stats = new Map(list.map((each) => [each.id, each]));
    this.#last = { at: this.#clock.monotonic(), stats };
    return stats;
  }
}

function cores(before: ContainerStats | undefined, now: ContainerStats): number | undefined {
  if (before?.cpu === undefined || now.cpu === undefined) return undefined;
  const elapsedMs = now.cpu.timestamp - before.cpu.timestamp;
  if (elapsedMs <= 0) return undefined;
  return Math.max(0, (now.cpu.usageCoreNanoSeconds - before.cpu.usageCoreNanoSeconds) / (elapsedMs * 1e6));
}

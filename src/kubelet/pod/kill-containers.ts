import { runtimeStatus } from '#cri/errors.ts';
import type { RuntimeService } from '#cri/runtime.ts';
import type { Clock } from '#lib/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { PreStops } from '../hooks/pre-stops.ts';
import { allContainers, kindOf } from './instances.ts';
import type { PodContext } from './pod-context.ts';
import type { PodEvents } from './ports.ts';
import type { RecordStore } from './record-store.ts';
import type { Kill, StepOf } from './steps.ts';

/** No container gets less, so that KILL is never the first thing it hears. */
const MINIMUM_GRACE_SECONDS = 2;

export interface KillerParts {
  runtime: RuntimeService;
  records: RecordStore;
  preStops: PreStops;
  clock: Clock;
  events: PodEvents;
}

/**
 * Stops containers side by side, each after its preStop hook, whose time is the grace period's too. In order means: app containers first, then sidecars, the last one first, each as
 * soon as those before it have ended; waiting takes from the grace period.
 */
export class ContainerKiller {
  readonly #parts: KillerParts;

  constructor(parts: KillerParts) {
    this.#parts = parts;
  }

  /** Rejects with the first failure after every kill has ended, or with the signal's reason at once. */
  async kill(context: PodContext, step: StepOf<'killContainers'>, signal: AbortSignal): Promise<void> {
    const { clock, events } = this.#parts;
    const { pod } = context;
    const deadline = clock.monotonic() + step.gracePeriodSeconds * 1000;
    const ended = new Map<Kill, Promise<void>>();
    for (const kill of terminationOrder(pod, step.kills)) {
      events.event(pod, 'Normal', 'Killing', kill.message, kill.name);
      const before = step.ordered ? step.kills.filter((other) => goesBefore(pod, other, kill)) : [];
      // Those that go before are in the map already: terminationOrder puts them first.
      const turn =
        before.length === 0
          ? undefined
          : Promise.allSettled(before.flatMap((other) => ended.get(other) ?? []));
      const stop = this.#stop(context, kill, { deadline, turn }, signal);
      // Handled by the allSettled below; without this, a rejection before then counts as unhandled.
      stop.catch(() => undefined);
      ended.set(kill, stop);
    }
    const results = await Promise.allSettled(ended.values());
    signal.throwIfAborted();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** The container is no more. */
  forget(id: string): void {
    this.#parts.preStops.stopped(id);
  }

  async #stop(
    context: PodContext,
    kill: Kill,
    { deadline, turn }: { deadline: number; turn: Promise<unknown> | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const { runtime, preStops, clock } = this.#parts;
    signal.throwIfAborted();
    await this.#preStop(context, kill, deadline, signal);
    if (turn !== undefined) await this.#within(deadline, turn);
    signal.throwIfAborted();
    // What has passed counts in whole seconds.
    const left = Math.ceil((deadline - clock.monotonic()) / 1000);
    try {
      await runtime.stopContainer(kill.id, Math.max(MINIMUM_GRACE_SECONDS, left), { signal });
    } catch (error) {
      if (runtimeStatus(error) !== 'NOT_FOUND') throw error;
    }
    preStops.stopped(kill.id);
  }

  /** Waits for the work, until the grace period is over at most. */
  async #within(deadline: number, work: Promise<unknown>): Promise<void> {
    const { clock } = this.#parts;
    let timer: { cancel(): void } | undefined;
    const graceIsOver = new Promise<void>((resolve) => {
      timer = clock.after(deadline - clock.monotonic(), resolve);
    });
    try {
      await Promise.race([work, graceIsOver]);
    } finally {
      timer?.cancel();
    }
  }

  async #preStop(context: PodContext, kill: Kill, deadline: number, signal: AbortSignal): Promise<void> {
    const { preStops, records, clock } = this.#parts;
    const { pod, record, status } = context;
    const container = allContainers(pod).find(({ name }) => name === kill.name);
    const hook = container?.lifecycle?.preStop;
    if (container === undefined || hook === undefined) return;
    const entry = record.containers[kill.name];
    const known = entry?.id === kill.id ? entry : undefined;
    const graceMs = deadline - clock.monotonic();
    if (known?.preStop === undefined && graceMs > 0)
      await preStops.run({ pod, container, id: kill.id, podIp: status?.podIP ?? '' }, hook, graceMs, signal);
    if (known === undefined) return;
    known.preStop = 'over';
    // Written ahead: after TERM, no new process must run the hook again. A disk that is full must not keep it running.
    await records.write(record).catch(() => undefined);
  }
}

const sidecarIndex = (pod: AgentPod, name: string): number =>
  pod.spec.initContainers?.findIndex(
    (container) => container.name === name && kindOf(pod, container) === 'sidecar',
  ) ?? -1;

/** Everything but sidecars first, then sidecars from the last to the first. */
function terminationOrder(pod: AgentPod, kills: readonly Kill[]): Kill[] {
  const rank = (kill: Kill): number => {
    const index = sidecarIndex(pod, kill.name);
    return index < 0 ? -Infinity : -index;
  };
  return kills.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}

function goesBefore(pod: AgentPod, first: Kill, second: Kill): boolean {
  const own = sidecarIndex(pod, second.name);
  if (own < 0 || first === second) return false;
  const other = sidecarIndex(pod, first.name);
  return other < 0 || other > own;
}

import { runtimeStatus } from '#cri/errors.ts';
import type { RuntimeService } from '#cri/runtime.ts';
import type { Clock } from '#lib/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { kindOf } from './instances.ts';
import type { PodEvents } from './ports.ts';
import type { Kill, StepOf } from './steps.ts';

/** No container gets less, so that KILL is never the first thing it hears. */
const MINIMUM_GRACE_SECONDS = 2;

/**
 * Stops containers side by side. In order means: app containers first, then sidecars, the last one first, each as
 * soon as those before it have ended; waiting takes from the grace period.
 */
export class ContainerKiller {
  readonly #runtime: RuntimeService;
  readonly #clock: Clock;
  readonly #events: PodEvents;

  constructor(runtime: RuntimeService, clock: Clock, events: PodEvents) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#events = events;
  }

  /** Rejects with the first failure after every kill has ended, or with the signal's reason at once. */
  async kill(pod: AgentPod, step: StepOf<'killContainers'>, signal: AbortSignal): Promise<void> {
    const deadline = this.#clock.monotonic() + step.gracePeriodSeconds * 1000;
    const ended = new Map<Kill, Promise<void>>();
    for (const kill of terminationOrder(pod, step.kills)) {
      this.#events.event(pod, 'Normal', 'Killing', kill.message, kill.name);
      const before = step.ordered ? step.kills.filter((other) => goesBefore(pod, other, kill)) : [];
      // Those that go before are in the map already: terminationOrder puts them first.
      const turn = Promise.allSettled(before.flatMap((other) => ended.get(other) ?? []));
      const stop =
        before.length === 0
          ? this.#stop(kill, deadline, signal)
          : this.#stopAfter(turn, kill, deadline, signal);
      // Handled by the allSettled below; without this, a rejection before then counts as unhandled.
      stop.catch(() => undefined);
      ended.set(kill, stop);
    }
    const results = await Promise.allSettled(ended.values());
    signal.throwIfAborted();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #stopAfter(turn: Promise<unknown>, kill: Kill, deadline: number, signal: AbortSignal): Promise<void> {
    let timer: { cancel(): void } | undefined;
    const graceIsOver = new Promise<void>((resolve) => {
      timer = this.#clock.after(deadline - this.#clock.monotonic(), resolve);
    });
    try {
      await Promise.race([turn, graceIsOver]);
    } finally {
      timer?.cancel();
    }
    await this.#stop(kill, deadline, signal);
  }

  async #stop(kill: Kill, deadline: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const left = Math.round((deadline - this.#clock.monotonic()) / 1000);
    try {
      await this.#runtime.stopContainer(kill.id, Math.max(MINIMUM_GRACE_SECONDS, left), { signal });
    } catch (error) {
      if (runtimeStatus(error) !== 'NOT_FOUND') throw error;
    }
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

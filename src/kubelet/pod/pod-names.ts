import { type AgentPod, fullName } from '#lib/kube/types.ts';
import { isApiPod } from './api-pod.ts';

interface Holder {
  pod: AgentPod;
  mayRun: boolean;
}

/**
 * Which names are in use: static pods of one name take turns, the next beginning when nothing is left of the one
 * before; a pod of the API server waits only while something of an earlier one of its name may run.
 */
export class PodNames {
  readonly #holders = new Map<string, Holder>();
  /** Names of pods that an earlier agent left and nobody looks after yet. */
  readonly #left: ReadonlySet<string>;

  constructor(holders: Iterable<Holder>, left: Iterable<string>) {
    for (const holder of holders) this.hold(holder.pod, holder.mayRun);
    this.#left = new Set(left);
  }

  hold(pod: AgentPod, mayRun: boolean): void {
    const name = fullName(pod);
    const before = this.#holders.get(name);
    if (before === undefined || !before.mayRun) this.#holders.set(name, { pod, mayRun });
  }

  isTaken(pod: AgentPod): boolean {
    if (this.#left.has(fullName(pod))) return true;
    const holder = this.#holders.get(fullName(pod));
    if (holder === undefined) return false;
    return holder.mayRun || !isApiPod(pod) || !isApiPod(holder.pod);
  }
}

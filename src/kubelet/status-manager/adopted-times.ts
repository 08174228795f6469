import type { PodStatus } from '#lib/kube/types.ts';

/**
 * A new process doesn't know since when a static pod's conditions are as they are; its mirror pod does. What holds at
 * the first comparison and was published before keeps the time that was published.
 */
export class AdoptedTimes {
  /** By condition type: the process's own time, and the published one that stands for it. */
  readonly #times = new Map<string, { own: string; published: string }>();
  #startTime: string | undefined;
  #hasLearned = false;

  apply(api: PodStatus, own: PodStatus): PodStatus {
    if (!this.#hasLearned) this.#learn(api, own);
    return {
      ...own,
      ...(this.#startTime === undefined ? {} : { startTime: this.#startTime }),
      conditions: (own.conditions ?? []).map((condition) => {
        const adopted = this.#times.get(condition.type);
        return adopted !== undefined && adopted.own === condition.lastTransitionTime
          ? { ...condition, lastTransitionTime: adopted.published }
          : condition;
      }),
    };
  }

  #learn(api: PodStatus, own: PodStatus): void {
    this.#hasLearned = true;
    this.#startTime = api.startTime;
    for (const { type, status, lastTransitionTime } of own.conditions ?? []) {
      const published = api.conditions?.find((each) => each.type === type);
      if (published?.status !== status || !published.lastTransitionTime || !lastTransitionTime) continue;
      this.#times.set(type, { own: lastTransitionTime, published: published.lastTransitionTime });
    }
  }
}

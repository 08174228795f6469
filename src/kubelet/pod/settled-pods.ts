import { podQosClass } from '#lib/kube/qos.ts';
import type { AgentPod, PodStatus } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import { apiTime } from '../status/time.ts';
import { isApiPod } from './api-pod.ts';
import type { PodStatusSink } from './ports.ts';
import { isSamePod } from './same-pod.ts';

export interface SettledPod {
  pod: AgentPod;
  status: PodStatus;
  /** Why the node didn't take it on; undefined for one that had ended before this agent knew of it. */
  rejection: Wait | undefined;
}

/** Pods that are wanted and have no worker, since nothing of them may run here: rejected ones, and ones that are over. */
export class SettledPods {
  readonly #sink: PodStatusSink;
  readonly #pods = new Map<string, SettledPod>();

  constructor(sink: PodStatusSink) {
    this.#sink = sink;
  }

  /** The status is upstream's rejectPod: a phase with its reason, and nothing of containers. */
  reject(pod: AgentPod, verdict: { reason: string; message: string }, now: number): void {
    const generation = pod.metadata.generation;
    const status: PodStatus = {
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      phase: 'Failed',
      reason: verdict.reason,
      message: `Pod was rejected: ${verdict.message}`,
      qosClass: podQosClass(pod),
      startTime: pod.status?.startTime ?? apiTime(now),
    };
    this.#set({ pod, status, rejection: { subject: 'pod', ...verdict } });
  }

  /** Takes a pod that has a terminal phase in the API and of which nothing is left on the node. */
  settle(pod: AgentPod): void {
    this.#set({ pod, status: pod.status ?? { phase: 'Failed' }, rejection: undefined });
  }

  has(uid: string): boolean {
    return this.#pods.has(uid);
  }

  all(): Iterable<SettledPod> {
    return this.#pods.values();
  }

  /** Takes over newer versions of its pods, and drops what is wanted no more or has become another pod. */
  update(desired: ReadonlyMap<string, AgentPod>): void {
    for (const [uid, settled] of this.#pods) {
      const wanted = desired.get(uid);
      if (wanted === settled.pod) continue;
      if (wanted === undefined || (!isApiPod(wanted) && !isSamePod(wanted, settled.pod))) {
        this.#pods.delete(uid);
        this.#sink.forget(uid);
      } else if (settled.rejection === undefined) this.settle(wanted);
      else this.#set({ ...settled, pod: wanted });
    }
  }

  #set(settled: SettledPod): void {
    this.#pods.set(settled.pod.metadata.uid, settled);
    this.#sink.publish(settled.pod, settled.status, { mayRun: false, isFinished: true });
  }
}

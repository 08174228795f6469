import type { AgentPod, Pod, PodStatus } from '#lib/kube/types.ts';
import type { PodStanding } from '../pod/ports.ts';
import { AdoptedTimes } from './adopted-times.ts';

/** What the manager knows of one pod. */
export interface StatusEntry {
  pod: AgentPod;
  own: PodStatus;
  standing: PodStanding;
  /** What the server answered to the newest write: until the informer has it, this is what the server has. */
  answer: Pod | undefined;
  /** The newest patch that the server took, and the version that came of it: it isn't sent twice on that. */
  sent: { patch: string; version: string | undefined } | undefined;
  times: AdoptedTimes;
  /** The UID of the API object that the final DELETE was accepted for. */
  deleted: string | undefined;
  failures: number;
  trouble: { error: Error; retryAt: number } | undefined;
}

export const newEntry = (pod: AgentPod, own: PodStatus, standing: PodStanding): StatusEntry => ({
  pod,
  own,
  standing,
  answer: undefined,
  sent: undefined,
  times: new AdoptedTimes(),
  deleted: undefined,
  failures: 0,
  trouble: undefined,
});

/** The newer of two versions of one object; the informer's where they can't be compared. */
export function newest(informed: Pod, answer: Pod | undefined): Pod {
  if (answer?.metadata?.uid !== informed.metadata?.uid) return informed;
  return versionOf(answer) > versionOf(informed) ? (answer ?? informed) : informed;
}

/** Versions of one kind are numbers that grow. */
export function versionOf(pod: Pod | undefined): bigint {
  const text = pod?.metadata?.resourceVersion ?? '';
  return /^\d+$/.test(text) ? BigInt(text) : -1n;
}

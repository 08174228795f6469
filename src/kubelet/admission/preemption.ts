/**
 * Which pods make room for a critical one: as few as possible, of the lowest class first, and those whose requests
 * come nearest to what is missing (the order of kubelet's critical pod admission).
 */
import { isCriticalPod } from '#cgroups/critical.ts';
import { podQosClass } from '#lib/kube/qos.ts';
import type { QosClass } from '#lib/kube/qos.ts';
import { amountOf, podRequests } from '#lib/kube/resources.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { countOf } from './resources-fit.ts';
import type { Misfit } from './verdict.ts';

/** What is still missing, by resource. */
type Need = ReadonlyMap<string, number>;

interface Candidate {
  pod: AgentPod;
  gives(resource: string): number;
}

function candidate(pod: AgentPod): Candidate {
  const requests = podRequests(pod);
  return {
    pod,
    gives: (resource) => (resource === 'pods' ? 1 : countOf(resource, amountOf(requests, resource))),
  };
}

/** Critical pods may end others; among critical or plain ones alone the higher priority may. */
function mayPreempt(pod: AgentPod, other: AgentPod): boolean {
  if (isCriticalPod(pod) && !isCriticalPod(other)) return true;
  const [own, its] = [pod.spec.priority, other.spec.priority];
  return own !== undefined && its !== undefined && own > its;
}

function without(need: Need, gone: readonly Candidate[]): Map<string, number> {
  const rest = new Map<string, number>();
  for (const [resource, amount] of need) {
    const left = gone.reduce((sum, each) => sum - each.gives(resource), amount);
    if (left > 0) rest.set(resource, left);
  }
  return rest;
}

/** How far the pod's requests are from what is missing: 0 where it would be enough alone. */
function distance(need: Need, each: Candidate): number {
  let sum = 0;
  for (const [resource, amount] of need) {
    const rest = amount - each.gives(resource);
    if (rest > 0) sum += (rest / amount) ** 2;
  }
  return sum;
}

function isSmaller(a: Candidate, b: Candidate): boolean {
  for (const resource of ['memory', 'cpu']) {
    const difference = a.gives(resource) - b.gives(resource);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** Some of `from` that give what is needed; undefined where all of them don't. */
function pick(from: readonly Candidate[], need: Need): Candidate[] | undefined {
  const left = [...from];
  const picked: Candidate[] = [];
  let rest = need;
  while (rest.size > 0) {
    const best = nearest(left, rest);
    if (best === undefined) return undefined;
    picked.push(best);
    left.splice(left.indexOf(best), 1);
    rest = without(rest, [best]);
  }
  return picked;
}

function nearest(from: readonly Candidate[], need: Need): Candidate | undefined {
  let best: Candidate | undefined;
  let least = Infinity;
  for (const each of from) {
    const far = distance(need, each);
    if (far < least || (best !== undefined && far === least && isSmaller(each, best))) {
      best = each;
      least = far;
    }
  }
  return best;
}

/**
 * The pods to end so that `pod` fits; empty where nothing is missing, undefined where ending all that it may end is
 * not enough.
 */
export function podsToPreempt(
  pod: AgentPod,
  active: readonly AgentPod[],
  misfits: readonly Misfit[],
): AgentPod[] | undefined {
  const need = new Map(
    misfits.flatMap((each) =>
      each.kind === 'resource'
        ? [[each.resource, each.requested - (each.capacity - each.used)] as const]
        : [],
    ),
  );
  const allowed = active.filter((other) => mayPreempt(pod, other)).map(candidate);
  const ofClass = (qos: QosClass): Candidate[] => allowed.filter((each) => podQosClass(each.pod) === qos);
  const [bestEffort, burstable, guaranteed] = [
    ofClass('BestEffort'),
    ofClass('Burstable'),
    ofClass('Guaranteed'),
  ];
  // From the class that is worth most down: each gives only what all below it together can't.
  const fromGuaranteed = pick(guaranteed, without(need, [...bestEffort, ...burstable]));
  if (fromGuaranteed === undefined) return undefined;
  const fromBurstable = pick(burstable, without(need, [...bestEffort, ...fromGuaranteed]));
  if (fromBurstable === undefined) return undefined;
  const fromBestEffort = pick(bestEffort, without(need, [...fromBurstable, ...fromGuaranteed]));
  if (fromBestEffort === undefined) return undefined;
  return [...fromBestEffort, ...fromBurstable, ...fromGuaranteed].map((each) => each.pod);
}

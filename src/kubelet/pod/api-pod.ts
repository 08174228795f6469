/** What is peculiar to pods that the API server owns: they are changed in place, and end when it says so. */
import { isDeepStrictEqual } from 'node:util';
import type { AgentPod, Pod } from '#lib/kube/types.ts';
import { CONFIG_SOURCE } from '../sources/static-pod.ts';
import type { Ending } from './decision.ts';
import type { PodRecord } from './record.ts';

/** Marks the API server's copy of a static pod; its value is the static pod's `config.hash`. */
export const CONFIG_MIRROR = 'kubernetes.io/config.mirror';

export const isApiPod = (pod: Pick<AgentPod, 'metadata'>): boolean =>
  pod.metadata.annotations?.[CONFIG_SOURCE] === 'api';

export const isMirrorPod = (pod: Pod): boolean => pod.metadata?.annotations?.[CONFIG_MIRROR] !== undefined;

export const isTerminalPhase = (phase: string | undefined): phase is 'Succeeded' | 'Failed' =>
  phase === 'Succeeded' || phase === 'Failed';

export const specGraceOf = (pod: AgentPod): number => pod.spec.terminationGracePeriodSeconds ?? 30;

/** How long the pod's containers get when it is to go: what its deletion says, or else its spec. */
export const graceOf = (pod: AgentPod): number => pod.metadata.deletionGracePeriodSeconds ?? specGraceOf(pod);

/** The end that the API server asks for; its object stays until the agent has done its part. */
export function endingOf(pod: AgentPod): Ending | undefined {
  if (!isApiPod(pod) || pod.metadata.deletionTimestamp === undefined) return undefined;
  return { gracePeriodSeconds: graceOf(pod), forget: false };
}

/** The terminal phase that the API server has for the pod, whoever set it. */
export function terminalInApi(pod: AgentPod): PodRecord['terminal'] {
  const { phase, reason, message } = pod.status ?? {};
  if (!isApiPod(pod) || !isTerminalPhase(phase)) return undefined;
  return {
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

/** The part of a pod that a record keeps: what it is, not how it stands with the API server. */
export function lasting(pod: AgentPod): AgentPod {
  if (!isApiPod(pod)) return pod;
  const { status: _status, metadata, ...rest } = pod;
  const { resourceVersion: _version, managedFields: _fields, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

/** Whether a newer version of the same pod asks for a new look at it: the agent's own status writes don't. */
export function asksForLook(before: AgentPod, now: AgentPod): boolean {
  return (
    !isDeepStrictEqual(lasting(before), lasting(now)) ||
    !isDeepStrictEqual(gateConditions(before), gateConditions(now))
  );
}

/** A new ephemeral container may be the first to mount one of the pod's volumes. */
export const mayMountMore = (before: AgentPod, now: AgentPod): boolean =>
  !isDeepStrictEqual(before.spec.ephemeralContainers, now.spec.ephemeralContainers);

/** The conditions that others keep and the agent's condition Ready depends on. */
function gateConditions(pod: AgentPod): unknown {
  const gates = new Set(pod.spec.readinessGates?.map((gate) => gate.conditionType));
  return (pod.status?.conditions ?? [])
    .filter((condition) => gates.has(condition.type))
    .map(({ type, status }) => ({ type, status }));
}

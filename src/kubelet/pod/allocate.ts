import { isDeepStrictEqual } from 'node:util';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import type { Verdict } from '../admission.ts';
import { amountsOf, asksTheSame } from './allocation.ts';
import type { PodContext } from './pod-context.ts';
import type { PodEvents } from './ports.ts';
import { resizeText } from './resize-text.ts';

export interface AllocateParts {
  /** Whether the node has room for the pod as it is wanted, beside the others. */
  judge(wanted: AgentPod): Verdict;
  events: PodEvents;
  now: number;
}

/** Deferred resizes are judged again at the latest after this. */
export const RETRY_RESIZE_MS = 60_000;

/**
 * Gives the pod the resources that are wanted for it now, where the node agrees; or notes why it has to wait. Returns
 * whether it has got others than before.
 */
export function allocate(context: PodContext, parts: AllocateParts): boolean {
  const { pod, wanted, record } = context;
  if (context.ending !== undefined || record.terminal !== undefined) {
    delete record.resize;
    return false;
  }
  if (asksTheSame(pod, wanted)) {
    delete record.resize?.pending;
    return false;
  }
  const generation = wanted.metadata.generation ?? 0;
  const refusal = refusalOf(pod, wanted, parts);
  if (refusal !== undefined) {
    const before = record.resize?.pending;
    const same = before?.reason === refusal.reason;
    const pending = { ...refusal, generation, since: same ? before.since : parts.now };
    record.resize = { ...record.resize, pending };
    if (!same || before.generation !== generation) {
      const text = resizeText(`Pod resize ${refusal.reason}`, wanted, generation, refusal.message);
      parts.events.event(wanted, 'Warning', `Resize${refusal.reason}`, text);
    }
    return false;
  }
  forgetBackoffs(context, wanted);
  context.pod = wanted;
  record.resize = { inProgress: { generation, since: parts.now, applied: false } };
  context.failures.delete('resize');
  context.failureCounts.delete('resize');
  parts.events.event(wanted, 'Normal', 'ResizeStarted', resizeText('Pod resize started', wanted, generation));
  return true;
}

function refusalOf(
  pod: AgentPod,
  wanted: AgentPod,
  parts: AllocateParts,
): { reason: 'Deferred' | 'Infeasible'; message: string } | undefined {
  if (!isDeepStrictEqual(pod.spec.resources, wanted.spec.resources)) {
    return { reason: 'Infeasible', message: "this node agent can't resize resources of the pod as a whole" };
  }
  const verdict = parts.judge(wanted);
  return verdict.admitted ? undefined : { reason: 'Deferred', message: verdict.message };
}

/** A container that crashed for want of memory shall not wait once it has more. */
function forgetBackoffs({ pod, record }: PodContext, wanted: AgentPod): void {
  const all = ({ spec }: AgentPod): Container[] => [...spec.containers, ...(spec.initContainers ?? [])];
  for (const container of all(wanted)) {
    const before = all(pod).find(({ name }) => name === container.name);
    if (before !== undefined && isDeepStrictEqual(amountsOf(before), amountsOf(container))) continue;
    delete record.containers[container.name]?.backoff;
  }
}

/** What of a pod is to be probed, and what was found. */
import { onePerFamily } from '../spec/pod-ips.ts';
import { currentSandbox } from './decide-sandbox.ts';
import type { Healths } from './health.ts';
import type { PodContext, PodSight } from './pod-context.ts';
import type { ProbedPod } from './ports.ts';
import type { PodRecord } from './record.ts';

/** `hostIps`: the node's own addresses. */
export function probedPod(
  { pod, record, ending }: PodContext,
  { sandboxes, views }: Pick<PodSight, 'sandboxes' | 'views'>,
  hostIps: readonly string[],
): ProbedPod {
  const sandbox = currentSandbox({ pod, sandboxes });
  const ips = pod.spec.hostNetwork === true ? hostIps : onePerFamily(sandbox?.ips ?? [], hostIps);
  return {
    pod,
    podIp: ips[0] ?? '',
    containers: views.flatMap(({ spec, kind, current, isStarting }) => {
      if (kind === 'init' || kind === 'ephemeral' || current?.state !== 'running' || isStarting) return [];
      const { id, startedAt } = current;
      const entry = record.containers[spec.name];
      return [{ spec, id, startedAt, known: entry?.id === id ? entry.health : undefined }];
    }),
    isEnding: ending !== undefined || record.terminal !== undefined,
  };
}

/** For the next process: it goes on from what was found. */
export function recordHealths(record: PodRecord, healths: Healths): void {
  for (const [name, { id, started, ready }] of healths) {
    const entry = record.containers[name];
    if (entry?.id === id) entry.health = { started, ready };
  }
}

import { withAllocation } from './allocation.ts';
import { isApiPod, lasting } from './api-pod.ts';
import type { PodContext } from './pod-context.ts';
import type { PodRecord } from './record.ts';
import { isSamePod } from './same-pod.ts';
import { seedRecord } from './seed-record.ts';

type Terminating = NonNullable<PodRecord['terminating']>;

/** Brings back into the context what an earlier process knew of the pod. */
export function restore(context: PodContext, record: PodRecord | undefined, now: number): void {
  const { terminating } = context.record;
  if (record !== undefined) {
    const { pod } = context;
    if (context.ending === undefined && !isApiPod(pod) && !isSamePod(record.pod, pod)) {
      // Under this UID an older pod ran, which has to end first; then the wanted one gets its turn.
      context.pod = record.pod;
      context.wanted = record.pod;
      context.ending = {
        gracePeriodSeconds: record.pod.spec.terminationGracePeriodSeconds ?? 30,
        forget: true,
      };
    }
    if (isApiPod(context.pod)) context.pod = withAllocation(context.wanted, record.pod);
    const terminal = context.record.terminal ?? record.terminal;
    context.record = {
      ...record,
      pod: lasting(context.pod),
      startTime: publishedStart(context) ?? record.startTime,
      ...(terminal === undefined ? {} : { terminal }),
    };
    // A pod that is wanted again after its removal had begun goes on; only a removal under way keeps its start.
    delete context.record.terminating;
    if (context.ending !== undefined) {
      context.record.terminating = sooner(
        record.terminating,
        terminating ?? { since: now, gracePeriodSeconds: context.ending.gracePeriodSeconds },
      );
      context.ending = {
        ...context.ending,
        gracePeriodSeconds: context.record.terminating.gracePeriodSeconds,
      };
    }
  }
  if (isApiPod(context.pod)) seedRecord(context.record, context.pod.status);
}

const publishedStart = ({ pod }: PodContext): string | undefined =>
  isApiPod(pod) ? pod.status?.startTime : undefined;

const endOf = ({ since, gracePeriodSeconds }: Terminating): number => since + gracePeriodSeconds * 1000;

/** The one of two ends that comes first: a grace period is never lengthened. */
export function sooner(before: Terminating | undefined, now: Terminating): Terminating {
  return before !== undefined && endOf(before) <= endOf(now) ? before : now;
}

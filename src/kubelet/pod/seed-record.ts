/** What the API server remembers of a pod's containers and neither record nor runtime may know any more. */
import type { ContainerStatus, PodStatus } from '#lib/kube/types.ts';
import type { ContainerRecord, EndedInstance, PodRecord } from './record.ts';

/**
 * Fills in what the record lacks from the published status, so that a container that has run isn't taken for a new one
 * when an earlier agent kept no record, or it was lost.
 */
export function seedRecord(record: PodRecord, status: PodStatus | undefined): void {
  const {
    initContainerStatuses = [],
    containerStatuses = [],
    ephemeralContainerStatuses = [],
  } = status ?? {};
  for (const each of [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses]) {
    const known = record.containers[each.name];
    if (known === undefined || known.attempt < each.restartCount) {
      const seeded = fromStatus(each);
      if (seeded !== undefined) record.containers[each.name] = seeded;
    } else if (known.id === bareId(each.containerID)) {
      // What was published counts: the record may be a moment older. A start-up probe never runs again.
      const { health } = healthIn(each);
      const started = health?.started === true || known.health?.started === true;
      if (health !== undefined) known.health = { ...health, started };
    }
  }
}

function fromStatus(status: ContainerStatus): ContainerRecord | undefined {
  const attempt = status.restartCount;
  const id = bareId(status.containerID);
  const { running, terminated } = status.state ?? {};
  const last = ended(status, status.lastState?.terminated, attempt - 1);
  const previous = last === undefined || attempt === 0 ? {} : { previous: last };
  if (running !== undefined && id !== '')
    return { attempt, id, sandboxId: '', ...previous, ...healthIn(status) };
  const now = ended(status, terminated, attempt);
  if (now !== undefined) return { attempt, id: now.id, sandboxId: '', ended: now, ...previous };
  // One that waits for its next start: it is the last end that counts.
  const waited = ended(status, status.lastState?.terminated, attempt);
  return waited === undefined ? undefined : { attempt, id: waited.id, sandboxId: '', ended: waited };
}

const healthIn = ({ state, started, ready }: ContainerStatus): Pick<ContainerRecord, 'health'> =>
  state?.running === undefined ? {} : { health: { started: started === true, ready } };

type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

function ended(
  status: ContainerStatus,
  terminated: Terminated | undefined,
  attempt: number,
): EndedInstance | undefined {
  const id = bareId(terminated?.containerID);
  if (terminated === undefined || id === '') return undefined;
  return {
    id,
    attempt,
    sandboxId: '',
    startedAt: timeOf(terminated.startedAt),
    finishedAt: timeOf(terminated.finishedAt),
    exitCode: terminated.exitCode,
    reason: terminated.reason ?? '',
    message: terminated.message ?? '',
    image: status.image,
    imageRef: status.imageID,
    imageId: '',
  };
}

const bareId = (id: string | undefined): string => id?.replace(/^[^:]*:\/\//, '') ?? '';

const timeOf = (text: string | undefined): number => (text === undefined ? 0 : Date.parse(text) || 0);

import type { ContainerView } from './instances.ts';
import type { ContainerRecord, PodRecord } from './record.ts';
import { endedInstance } from './start-container.ts';

/**
 * Takes into the record what the runtime shows and may forget: the newest attempt of each container (another agent
 * may have started it) and how it ended.
 */
export function absorb(record: PodRecord, views: readonly ContainerView[]): void {
  for (const { spec, current, previous } of views) {
    if (current === undefined || !current.inRuntime || current.state === 'created') continue;
    const known = record.containers[spec.name];
    if (known !== undefined && known.attempt > current.attempt) continue;
    const entry = known?.id === current.id ? known : undefined;
    record.containers[spec.name] = {
      attempt: current.attempt,
      id: current.id,
      sandboxId: current.sandboxId,
      ...(known?.backoff === undefined ? {} : { backoff: known.backoff }),
      ...(current.state === 'exited' ? { ended: endedInstance(current) } : {}),
      ...previousOf(previous, entry?.previous ?? known?.ended),
      ...(current.state === 'exited' ? {} : lifeOf(entry)),
    };
  }
}

/** What matters of an attempt only while it runs. */
function lifeOf(
  entry: ContainerRecord | undefined,
): Pick<ContainerRecord, 'postStart' | 'health' | 'preStop'> {
  return {
    ...(entry?.postStart === undefined ? {} : { postStart: entry.postStart }),
    ...(entry?.health === undefined ? {} : { health: entry.health }),
    ...(entry?.preStop === undefined ? {} : { preStop: entry.preStop }),
  };
}

function previousOf(
  seen: ContainerView['previous'],
  remembered: ContainerRecord['previous'],
): Pick<ContainerRecord, 'previous'> {
  if (seen?.state === 'exited') return { previous: endedInstance(seen) };
  return remembered === undefined ? {} : { previous: remembered };
}

import type { Event } from '#lib/kube/types.ts';
import { age } from './age.ts';

/** When an event was, and how often: `2m (x5 over 10m)`. */
export function eventAge(event: Event, now: number): string {
  const first = age(event.eventTime ?? event.firstTimestamp, now);
  if (event.series !== undefined && event.series !== null) {
    return `${age(event.series.lastObservedTime, now)} (x${event.series.count ?? 0} over ${first})`;
  }
  const count = event.count ?? 0;
  return count > 1 ? `${age(event.lastTimestamp, now)} (x${count} over ${first})` : first;
}

export const eventHead = (withNamespace: boolean): string[] => [
  ...(withNamespace ? ['NAMESPACE'] : []),
  'LAST SEEN',
  'TYPE',
  'REASON',
  'OBJECT',
  'MESSAGE',
];

/** An event's line of `kubectl get events`. */
export function eventRow(event: Event, withNamespace: boolean, now: number): string[] {
  const { kind, name } = event.involvedObject;
  const count = event.count ?? 0;
  const when = event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp;
  return [
    ...(withNamespace ? [event.metadata.namespace ?? ''] : []),
    count > 1 ? eventAge(event, now) : age(when, now),
    event.type ?? '',
    event.reason ?? '',
    `${(kind ?? '').toLowerCase()}/${name ?? ''}`,
    (event.message ?? '').trim(),
  ];
}

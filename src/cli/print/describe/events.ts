import type { Event } from '#lib/kube/types.ts';
import { eventAge } from '../event-table.ts';
import type { DescribeText } from './text.ts';

/** The events, oldest first. */
export function describeEvents(text: DescribeText, events: readonly Event[], now: number): void {
  if (events.length === 0) {
    text.line(0, 'Events:', '<none>');
    return;
  }
  text.flush();
  text.line(0, 'Events:').line(1, 'Type', 'Reason', 'Age', 'From', 'Message');
  text.line(1, '----', '------', '----', '----', '-------');
  const at = (event: Event): number => Date.parse(event.lastTimestamp ?? '') || 0;
  for (const event of events.toSorted((a, b) => at(a) - at(b))) {
    const from = event.source?.component || (event.reportingComponent ?? '');
    const message = (event.message ?? '').trim();
    text.line(1, event.type ?? '', event.reason ?? '', eventAge(event, now), from, message);
  }
}

/** What no fault may bring about, told from what the fake recorded. */
import type { Pod, PodStatus } from '#lib/kube/types.ts';
import type { TestClient } from '#test/control-plane/client.ts';
import type { RequestRecord, Recorder, StatusWrite } from '#test/control-plane/fake/recorder.ts';
import { testResources } from '#test/control-plane/resources.ts';

const isOver = ({ phase }: PodStatus): boolean => phase === 'Succeeded' || phase === 'Failed';

const counts = ({ initContainerStatuses = [], containerStatuses = [] }: PodStatus): Map<string, number> =>
  new Map(
    [...initContainerStatuses, ...containerStatuses].map(({ name, restartCount }) => [name, restartCount]),
  );

/** Writes of a pod's status that lead from a terminal phase to another, or count a container's restarts down. */
export function stepsBack(recorder: Recorder): string[] {
  const last = new Map<string, StatusWrite>();
  const found: string[] = [];
  for (const write of recorder.statusWrites) {
    const { uid, name, status } = write;
    const before = last.get(uid)?.status;
    last.set(uid, write);
    if (before === undefined) continue;
    if (isOver(before) && status.phase !== before.phase)
      found.push(`${name}: ${before.phase} -> ${status.phase}`);
    const now = counts(status);
    for (const [container, count] of counts(before)) {
      const later = now.get(container) ?? 0;
      if (later < count) found.push(`${name}/${container}: ${count} restarts -> ${later}`);
    }
  }
  return found;
}

/** Requests of this node that it has no right to. */
export const forbidden = (recorder: Recorder, nodeName = 'n1'): string[] =>
  recorder
    .find({ user: `system:node:${nodeName}` })
    .filter(({ status }) => status === 403)
    .map(({ method, path }) => `${method} ${path}`);

/** Writes of events, refused ones too. */
export const eventWrites = (recorder: Recorder, since = 0): RequestRecord[] =>
  recorder.find({ resource: 'events', verb: ['create', 'patch'], user: /^system:node:/ }, since);

/** IDs that a container by name was ever published with, in order. */
export function publishedIds(recorder: Recorder, pod: string): string[] {
  const ids = recorder
    .publishedStatuses('default', pod)
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .flatMap(({ containerID }) => (containerID === undefined ? [] : [containerID]));
  return [...new Set(ids)];
}

/** This node's pods as the API server has them. */
export async function podsOn(client: TestClient, nodeName = 'n1'): Promise<Pod[]> {
  const { items } = await client.list<Pod>(testResources.pods, {
    fieldSelector: `spec.nodeName=${nodeName}`,
  });
  return items;
}

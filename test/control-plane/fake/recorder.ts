import type { Pod, PodStatus } from '#lib/kube/types.ts';
import { matches } from './faults/match.ts';
import type { RequestFacts, RequestMatch } from './faults/match.ts';
import type { KubeObject } from './object.ts';

/** One request, from its arrival on. */
export interface RequestRecord extends RequestFacts {
  /** Wall time of the arrival, in milliseconds. */
  at: number;
  requestBytes: number;
  /** The parsed body, where there was one. */
  body?: unknown;
  /** Absent until the answer's head is sent. */
  status?: number;
  /** So far, for a watch that is open. */
  responseBytes: number;
  /** From arrival to the end of the answer; absent until then. */
  durationMs?: number;
}

/** A write of a pod's status that was taken. */
export interface StatusWrite {
  at: number;
  user: string;
  namespace: string;
  name: string;
  uid: string;
  /** As published, whole. */
  status: PodStatus;
  /** Whether the write changed anything. */
  changed: boolean;
}

/** Everything that was asked of the fake, for assertions about load and about what was ever published. */
export class Recorder {
  readonly requests: RequestRecord[] = [];
  readonly statusWrites: StatusWrite[] = [];
  readonly #observers = new Set<(write: StatusWrite) => void>();

  /** Called for each write of a pod's status as it is taken. */
  onStatusWrite(observer: (write: StatusWrite) => void): () => void {
    this.#observers.add(observer);
    return () => void this.#observers.delete(observer);
  }

  find(match: RequestMatch, since = 0): RequestRecord[] {
    return this.requests.filter((record) => record.at >= since && matches(match, record));
  }

  count(match: RequestMatch, since = 0): number {
    return this.find(match, since).length;
  }

  /** Of a pod by name, in order. */
  publishedStatuses(namespace: string, name: string): StatusWrite[] {
    return this.statusWrites.filter((write) => write.namespace === namespace && write.name === name);
  }

  /** The longest time between two good renewals of a node's lease, in milliseconds; 0 for fewer than two. */
  longestLeaseGap(node: string, since = 0): number {
    const times = this.find({ resource: 'leases', verb: ['create', 'update', 'patch'] }, since)
      .filter(({ name, body }) => (name ?? (body as KubeObject | undefined)?.metadata.name) === node)
      .filter(({ status = 0 }) => status >= 200 && status < 300)
      .map(({ at }) => at);
    return Math.max(0, ...times.slice(1).map((at, index) => at - times[index]!));
  }

  /** Forgets what was recorded so far. */
  clear(): void {
    this.requests.length = 0;
    this.statusWrites.length = 0;
  }

  tookStatus(user: string, at: number, after: KubeObject, before: KubeObject | undefined): void {
    const { namespace = '', name, uid = '' } = after.metadata;
    const { status = {} } = after as unknown as Pod;
    const changed = after.metadata.resourceVersion !== before?.metadata.resourceVersion;
    const write: StatusWrite = { at, user, namespace, name, uid, status, changed };
    this.statusWrites.push(write);
    for (const observer of this.#observers) observer(write);
  }
}

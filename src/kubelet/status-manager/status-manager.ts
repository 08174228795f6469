import { ApiError, isApiConflict, isApiNotFound } from '#lib/kube/api-error.ts';
import type { Clock } from '#lib/clock.ts';
import { asError, describeError } from '#lib/errors.ts';
import { KeyedQueue } from '#lib/keyed-queue.ts';
import { type KubeClient, type ObjectName, resources } from '#lib/kube/client.ts';
import { type AgentPod, type Pod, type PodStatus, fullName } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import type { Logger } from '#lib/logger.ts';
import { CONFIG_MIRROR, isApiPod, isMirrorPod, isTerminalPhase } from '../pod/api-pod.ts';
import type { PodStanding, PodStatusSink } from '../pod/ports.ts';
import type { PodInformer } from '../sources/api-source.ts';
import { CONFIG_HASH } from '../sources/static-pod.ts';
import { mergeStatus } from './merge.ts';
import { statusPatch } from './patch.ts';
import { type StatusEntry, newEntry, newest } from './status-entry.ts';

export interface StatusManagerParts {
  client: Pick<KubeClient, 'patch' | 'delete'>;
  /** This node's pods, mirror pods among them. */
  pods: PodInformer;
  clock: Clock;
  log: Logger;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
/** A server that doesn't answer at all isn't harmed by being asked, and is to hear everything soon once it is back. */
const LAST_UNANSWERED_MS = 5000;

/**
 * Keeps the API server's statuses of this node's pods true, and removes the objects of pods that have ended. Each pod
 * has at most one call under way, made from the newest status at that moment; a call that fails is made again for as
 * long as the pod's object exists.
 */
export class StatusManager implements PodStatusSink {
  readonly #parts: StatusManagerParts;
  readonly #queue: KeyedQueue;
  readonly #entries = new Map<string, StatusEntry>();
  /** UIDs here of the pods of one full name: a static pod's object has another UID. */
  readonly #byName = new Map<string, Set<string>>();
  readonly #stopping = new AbortController();

  constructor(parts: StatusManagerParts) {
    this.#parts = parts;
    this.#queue = new KeyedQueue(parts.clock, (uid) => this.#sync(uid));
    parts.pods.onChange((changes) => {
      // No changes: the first list is in, or everything was listed anew.
      if (changes.length === 0) {
        for (const [uid, entry] of this.#entries) if (!wasRefused(entry)) this.#queue.add(uid);
      }
      for (const { object } of changes) this.#onObject(object);
    });
  }

  publish(pod: AgentPod, status: PodStatus, standing: PodStanding): void {
    const { uid } = pod.metadata;
    const entry = this.#entries.get(uid);
    if (entry === undefined) {
      this.#entries.set(uid, newEntry(pod, status, standing));
      const uids = this.#byName.get(fullName(pod)) ?? new Set();
      this.#byName.set(fullName(pod), uids.add(uid));
    } else Object.assign(entry, { pod, own: status, standing });
    if (entry?.trouble === undefined) this.#queue.add(uid);
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#entries.delete(uid);
    this.#queue.remove(uid);
    const uids = this.#byName.get(fullName(entry.pod));
    uids?.delete(uid);
    if (uids?.size === 0) this.#byName.delete(fullName(entry.pod));
  }

  /** Why the API server doesn't have the pod's status, for people. */
  waits(uid: string): Wait[] {
    const trouble = this.#entries.get(uid)?.trouble;
    if (trouble === undefined) return [];
    return [
      {
        subject: 'pod',
        reason: 'StatusNotWritten',
        message: `The API server doesn't have the pod's newest status: ${describeError(trouble.error)}`,
        until: trouble.retryAt,
      },
    ];
  }

  /** How many statuses the API server doesn't have yet because a write failed. */
  get troubled(): number {
    return [...this.#entries.values()].filter(({ trouble }) => trouble !== undefined).length;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the agent stops'));
    await this.#queue.stop();
  }

  #onObject({ metadata }: Pod): void {
    const { namespace, name, uid = '' } = metadata ?? {};
    // News of a pod don't hurry a write that the server has refused.
    const uids = this.#byName.get(`${namespace}/${name}`) ?? [];
    for (const each of new Set([uid, ...uids])) {
      if (this.#entries.get(each)?.trouble === undefined && this.#entries.has(each)) this.#queue.add(each);
    }
  }

  async #sync(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined || this.#stopping.signal.aborted) return;
    const object = this.#objectOf(entry.pod);
    const { own } = entry;
    try {
      const current = object && (await this.#write(entry, newest(object, entry.answer)));
      // What was published meanwhile is written first.
      if (current !== undefined && entry.own === own) await this.#finish(entry, current);
      entry.failures = 0;
      entry.trouble = undefined;
      if (entry.own !== own) this.#queue.add(uid);
    } catch (error) {
      this.#note(uid, entry, asError(error));
    }
  }

  /** The API's object of the pod: for a static pod its mirror. Undefined where there is none, or another of the name. */
  #objectOf(pod: AgentPod): Pod | undefined {
    const object = this.#parts.pods.get(pod.metadata);
    if (object === undefined) return undefined;
    if (isApiPod(pod)) return object.metadata?.uid === pod.metadata.uid ? object : undefined;
    const mirrored = object.metadata?.annotations?.[CONFIG_MIRROR];
    return mirrored === pod.metadata.annotations?.[CONFIG_HASH] ? object : undefined;
  }

  /** Writes what differs, and returns the object as the server has it then. */
  async #write(entry: StatusEntry, object: Pod): Promise<Pod> {
    const { uid, resourceVersion } = object.metadata ?? {};
    const api = object.status ?? {};
    const own = entry.times.apply(api, entry.own);
    const patch = statusPatch(uid ?? '', api, mergeStatus(api, own, entry.standing.mayRun));
    if (patch === undefined) return object;
    const text = JSON.stringify(patch);
    if (entry.sent?.patch === text && entry.sent.version === resourceVersion) return object;
    const answer = await this.#parts.client.patch<Pod>(
      resources.pods,
      { ...nameOf(object), subresource: 'status' },
      { type: 'strategic', body: patch },
      { signal: this.#stopping.signal, lane: 'status' },
    );
    entry.answer = answer;
    entry.sent = { patch: text, version: answer.metadata?.resourceVersion };
    return answer;
  }

  /** The last word on a pod that was deleted: only once the server itself shows its terminal phase. */
  async #finish(entry: StatusEntry, object: Pod): Promise<void> {
    const { uid = '', deletionTimestamp } = object.metadata ?? {};
    const { pod, standing } = entry;
    if (!standing.isFinished || !deletionTimestamp || !isApiPod(pod) || isMirrorPod(object)) return;
    if (!isTerminalPhase(object.status?.phase) || entry.deleted === uid) return;
    try {
      await this.#parts.client.delete(
        resources.pods,
        nameOf(object),
        { gracePeriodSeconds: 0, preconditions: { uid } },
        { signal: this.#stopping.signal, lane: 'status' },
      );
      this.#parts.log.info({ pod: fullName(pod), uid }, 'the pod has ended and its object is removed');
    } catch (error) {
      if (!isApiNotFound(error) && !isApiConflict(error)) throw error;
    }
    entry.deleted = uid;
  }

  #note(uid: string, entry: StatusEntry, error: Error): void {
    if (this.#stopping.signal.aborted) return;
    if (isApiNotFound(error)) {
      // Nobody is left to tell; should the object be there after all, its next change says so.
      entry.trouble = undefined;
      return;
    }
    const { status, retryAfterMs = 0 } = error instanceof ApiError ? error : { status: 0 };
    const last = status === 0 ? LAST_UNANSWERED_MS : LAST_RETRY_MS;
    const wait = Math.max(Math.min(FIRST_RETRY_MS * 2 ** Math.min(entry.failures, 10), last), retryAfterMs);
    entry.failures++;
    entry.trouble = { error, retryAt: this.#parts.clock.now() + wait };
    const fields = { pod: fullName(entry.pod), uid, err: error, failures: entry.failures };
    if (entry.failures === 5) this.#parts.log.warn(fields, "a pod's status can't be written");
    else this.#parts.log.debug(fields, "a pod's status can't be written");
    // What was published during the call that was refused must not hurry the next one.
    if (status !== 0) this.#queue.remove(uid);
    this.#queue.add(uid, wait);
  }
}

const wasRefused = ({ trouble }: StatusEntry): boolean =>
  trouble?.error instanceof ApiError && trouble.error.status !== 0;

const nameOf = ({ metadata }: Pod): ObjectName => ({
  namespace: metadata?.namespace ?? '',
  name: metadata?.name ?? '',
});

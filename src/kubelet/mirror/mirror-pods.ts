import type { Clock } from '#lib/clock.ts';
import { NodeletError, asError, describeError } from '#lib/errors.ts';
import { KeyedQueue } from '#lib/keyed-queue.ts';
import { ApiError, isApiConflict, isApiNotFound } from '#lib/kube/api-error.ts';
import { type KubeClient, resources } from '#lib/kube/client.ts';
import { type AgentPod, type Pod, fullName } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import type { Logger } from '#lib/logger.ts';
import { isApiPod, isMirrorPod } from '../pod/api-pod.ts';
import type { PodInformer } from '../sources/api-source.ts';
import { versionOf } from '../status-manager/status-entry.ts';
import { mirrorPod, mirrors } from './mirror-pod.ts';

export interface MirrorParts {
  client: Pick<KubeClient, 'create' | 'delete'>;
  /** This node's pods, mirror pods among them. */
  pods: PodInformer;
  nodeName: string;
  /** The Node object's UID; undefined while the node isn't registered or the API server was not seen. */
  nodeUid(): string | undefined;
  /** Whether a pod of this full name (`NAMESPACE/NAME`) still is on the node: its mirror then stays, too. */
  isHere(fullName: string): boolean;
  clock: Clock;
  log: Logger;
}

/** The mirror pod can't be as it should be yet. */
class MirrorError extends NodeletError {
  readonly code = 'MIRROR_POD';
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;
/** When it is looked again whether a static pod has left, should nobody say so. */
const LEAVING_MS = 10_000;

/**
 * Keeps one API object for each static pod, so that the cluster sees it. Nothing of a static pod ever waits for this:
 * the object is a picture, and a broken or missing one is made anew.
 */
export class MirrorPods {
  readonly #parts: MirrorParts;
  readonly #queue: KeyedQueue;
  readonly #stopping = new AbortController();
  readonly #failures = new Map<string, { count: number; error: Error; retryAt: number }>();
  /** By full name: the newest mirror that was made here, until its deletion is seen; the informer may not have it yet. */
  readonly #made = new Map<string, Pod>();
  #wanted = new Map<string, AgentPod>();
  #isComplete = false;

  constructor(parts: MirrorParts) {
    this.#parts = parts;
    this.#queue = new KeyedQueue(parts.clock, (name) => this.#sync(name));
    parts.pods.onChange((changes) => {
      if (changes.length === 0) this.#addAll();
      for (const { type, object } of changes) {
        const name = nameOf(object);
        const made = this.#made.get(name)?.metadata?.uid;
        if (type === 'deleted' && made === object.metadata?.uid) this.#made.delete(name);
        if (isMirrorPod(object) || this.#wanted.has(name)) this.#queue.add(name);
      }
    });
  }

  /**
   * Takes all wanted pods, of which static ones get a mirror. `isComplete`: whether all sources of static pods have been
   * seen, before which no mirror is taken for a left-over.
   */
  setDesired(pods: readonly AgentPod[], isComplete: boolean): void {
    const before = this.#wanted;
    this.#wanted = new Map();
    // Of two of one name, the first is the one that runs.
    for (const pod of pods) {
      if (!isApiPod(pod) && !this.#wanted.has(fullName(pod))) this.#wanted.set(fullName(pod), pod);
    }
    if (isComplete && !this.#isComplete) {
      this.#isComplete = true;
      this.#addAll();
    }
    for (const name of new Set([...before.keys(), ...this.#wanted.keys()])) {
      if (before.get(name) !== this.#wanted.get(name)) this.#queue.add(name);
    }
  }

  /** The Node object may have become known. */
  nodeChanged(): void {
    this.#addAll();
  }

  /** Nothing is left of a pod. */
  podLeft(): void {
    this.#addAll();
  }

  /** Why the cluster doesn't see a static pod, for people. */
  waits(pod: AgentPod): Wait[] {
    const failure = this.#failures.get(fullName(pod));
    if (failure === undefined || isApiPod(pod)) return [];
    return [
      {
        subject: 'pod',
        reason: 'MirrorPodMissing',
        message: `The API server has no true mirror of this static pod: ${describeError(failure.error)}`,
        until: failure.retryAt,
      },
    ];
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the agent stops'));
    await this.#queue.stop();
  }

  #addAll(): void {
    for (const name of this.#wanted.keys()) this.#queue.add(name);
    for (const object of this.#parts.pods.list()) if (isMirrorPod(object)) this.#queue.add(nameOf(object));
  }

  async #sync(name: string): Promise<void> {
    if (this.#stopping.signal.aborted || !this.#parts.pods.hasSynced) return;
    try {
      const pod = this.#wanted.get(name);
      if (pod === undefined) await this.#removeLeftOver(name);
      else await this.#mirror(pod);
      this.#failures.delete(name);
    } catch (error) {
      this.#note(name, asError(error));
    }
  }

  async #mirror(pod: AgentPod): Promise<void> {
    const { client, pods, nodeName } = this.#parts;
    const object = newer(pods.get(pod.metadata), this.#made.get(fullName(pod)));
    if (object !== undefined) {
      if (!isMirrorPod(object)) throw new MirrorError('a pod of the API server has its name');
      if (mirrors(object, pod)) return;
      await this.#delete(object);
    }
    const uid = this.#parts.nodeUid();
    if (uid === undefined) throw new MirrorError('the Node object is not known yet');
    const { namespace } = pod.metadata;
    const mirror = mirrorPod(pod, { name: nodeName, uid });
    const call = { signal: this.#stopping.signal };
    this.#made.set(fullName(pod), await client.create<Pod>(resources.pods, { namespace }, mirror, call));
  }

  async #removeLeftOver(name: string): Promise<void> {
    if (!this.#isComplete) return;
    const [namespace = '', bare = ''] = name.split('/');
    const object = this.#parts.pods.get({ namespace, name: bare });
    if (object === undefined || !isMirrorPod(object)) return;
    if (this.#parts.isHere(name)) this.#queue.add(name, LEAVING_MS);
    else await this.#delete(object);
  }

  async #delete({ metadata }: Pod): Promise<void> {
    const { namespace = '', name = '', uid = '' } = metadata ?? {};
    try {
      await this.#parts.client.delete(
        resources.pods,
        { namespace, name },
        { gracePeriodSeconds: 0, preconditions: { uid } },
        { signal: this.#stopping.signal },
      );
    } catch (error) {
      if (!isApiNotFound(error) && !isApiConflict(error)) throw error;
    }
  }

  #note(name: string, error: Error): void {
    if (this.#stopping.signal.aborted) return;
    const count = (this.#failures.get(name)?.count ?? 0) + 1;
    const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const wait = Math.max(Math.min(FIRST_RETRY_MS * 2 ** Math.min(count - 1, 10), LAST_RETRY_MS), asked);
    this.#failures.set(name, { count, error, retryAt: this.#parts.clock.now() + wait });
    this.#parts.log.debug({ pod: name, err: error }, 'the mirror pod is not as it should be');
    this.#queue.add(name, wait);
  }
}

function newer(informed: Pod | undefined, made: Pod | undefined): Pod | undefined {
  if (informed === undefined || made === undefined) return informed ?? made;
  if (informed.metadata?.uid === made.metadata?.uid) return informed;
  return versionOf(made) > versionOf(informed) ? made : informed;
}

const nameOf = ({ metadata }: Pod): string => `${metadata?.namespace}/${metadata?.name}`;

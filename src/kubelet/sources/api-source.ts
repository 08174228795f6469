import type { Clock, Timer } from '#lib/clock.ts';
import type { Informer, ListSelection } from '#lib/kube/client.ts';
import type { AgentPod, Pod } from '#lib/kube/types.ts';
import { isMirrorPod } from '../pod/api-pod.ts';
import type { PodSource, SourceUpdate } from './source.ts';
import { CONFIG_SEEN, CONFIG_SOURCE } from './static-pod.ts';

/** What an informer of this node's pods must list; the only selection that a node may watch. */
export const podsOfNode = (nodeName: string): ListSelection => ({
  fieldSelector: `spec.nodeName=${nodeName}`,
});

/** The local copy of the API server's pods of this node, mirror pods included. */
export type PodInformer = Pick<Informer<Pod>, 'hasSynced' | 'list' | 'get' | 'onChange'>;

interface Taken {
  pod: AgentPod;
  /** Wall milliseconds. */
  createdAt: number;
}

/** What is delivered, provisionally, where the API server doesn't answer in time. */
export interface Offline {
  afterMs: number;
  pods: readonly AgentPod[];
}

/**
 * The pods that the API server has bound to this node. Nothing is delivered before the first list is whole, and nothing
 * while the server is away: what is there then runs on. Mirror pods stand for static pods and are never delivered.
 */
export class ApiPodSource implements PodSource {
  readonly kind = 'api';
  readonly name = 'API server';
  readonly #informer: PodInformer;
  readonly #clock: Clock;
  /** By API object, so that a pod that didn't change stays the same object. */
  readonly #taken = new WeakMap<Pod, Taken>();
  readonly #seen = new Map<string, string>();
  readonly #offline: Offline | undefined;
  #timer: Timer | undefined;
  #deliver: ((update: SourceUpdate) => void) | undefined;

  constructor(informer: PodInformer, clock: Clock, offline?: Offline) {
    this.#informer = informer;
    this.#clock = clock;
    this.#offline = offline;
    informer.onChange(() => this.#update());
  }

  start(deliver: (update: SourceUpdate) => void): Promise<void> {
    this.#deliver = deliver;
    this.#update();
    const { afterMs, pods } = this.#offline ?? { afterMs: 0, pods: [] };
    if (pods.length > 0 && !this.#informer.hasSynced) {
      this.#timer = this.#clock.after(afterMs, () =>
        deliver({ pods: [...pods], problems: [], provisional: true }),
      );
    }
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#deliver = undefined;
    this.#timer?.cancel();
    return Promise.resolve();
  }

  #update(): void {
    if (this.#deliver === undefined || !this.#informer.hasSynced) return;
    this.#timer?.cancel();
    const pods = this.#informer
      .list()
      .filter((pod) => !isMirrorPod(pod))
      .map((pod) => this.#take(pod))
      .filter((taken) => taken !== undefined)
      .sort((a, b) => a.createdAt - b.createdAt || (a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1))
      .map(({ pod }) => pod);
    const uids = new Set(pods.map((pod) => pod.metadata.uid));
    for (const uid of this.#seen.keys()) if (!uids.has(uid)) this.#seen.delete(uid);
    this.#deliver({ pods, problems: [] });
  }

  /** The pod with upstream's marks of where it came from and when. */
  #take(pod: Pod): Taken | undefined {
    const known = this.#taken.get(pod);
    if (known !== undefined) return known;
    const { name, namespace, uid } = pod.metadata ?? {};
    if (!name || !namespace || !uid || pod.spec === undefined) return undefined;
    const seen = this.#seen.get(uid) ?? new Date(this.#clock.now()).toISOString();
    this.#seen.set(uid, seen);
    const annotations = { ...pod.metadata?.annotations, [CONFIG_SEEN]: seen, [CONFIG_SOURCE]: 'api' };
    const taken: Taken = {
      pod: { ...pod, metadata: { ...pod.metadata, name, namespace, uid, annotations }, spec: pod.spec },
      // Older pods go first; those without a time, last.
      createdAt: Date.parse(pod.metadata?.creationTimestamp ?? '') || Infinity,
    };
    this.#taken.set(pod, taken);
    return taken;
  }
}

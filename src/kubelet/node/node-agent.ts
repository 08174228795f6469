/** The node of this agent: its object, its heartbeat, and why it isn't ready. With or without an API server. */
import type { Clock } from '#lib/clock.ts';
import type { Informer, KubeClient } from '#lib/kube/client.ts';
import type { Node } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { apiTime } from '../status/time.ts';
import { CsiNodeKeeper } from './csi-node.ts';
import { FactCollector } from './fact-collector.ts';
import type { FactSources } from './fact-collector.ts';
import { LeaseKeeper } from './lease.ts';
import { NodeAnnouncer } from './node-announcer.ts';
import type { NodeEvents } from './node-events.ts';
import { NodeReporter } from './node-reporter.ts';
import { updatedNode } from './node-status.ts';
import { initialNode } from './registration-object.ts';
import { Wakeup } from './retry.ts';

export interface NodeCluster {
  client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'patch' | 'delete'>;
  /** Of this node alone (field selector metadata.name). */
  nodes: Pick<Informer<Node>, 'get' | 'onChange'>;
  /** A renewal of the lease got no answer: connections that may be dead should be dropped. */
  onLeaseTimeout?: () => void;
}

export interface NodeAgentOptions {
  sources: FactSources;
  /** Absent where there is no API server: the object is then kept here alone. */
  cluster?: NodeCluster;
  events: NodeEvents;
  /** Called with each version of the Node object that the API server has; undefined: it is gone. */
  onNode?: (node: Node | undefined) => void;
  onVolumesReported?: (volumesInUse: readonly string[]) => void;
  /** Wall milliseconds; the object's age where there is no API server. */
  startedAt: number;
  clock: Clock;
  random?: () => number;
  logger: Logger;
}

export class NodeAgent {
  readonly #options: NodeAgentOptions;
  readonly #collector: FactCollector;
  readonly #stopping = new AbortController();
  readonly #announcer: NodeAnnouncer;
  readonly #csi: CsiNodeKeeper | undefined;
  readonly #reporter: NodeReporter | undefined;
  readonly #lease: LeaseKeeper | undefined;
  readonly #wakeup = new Wakeup();
  #csiFor: { uid: string; stop: AbortController } | undefined;
  #local: Node = { apiVersion: 'v1', kind: 'Node' };
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    const { cluster, clock, events, logger, random = Math.random, sources } = options;
    const { settings } = sources;
    this.#announcer = new NodeAnnouncer(settings.nodeName, events);
    this.#collector = new FactCollector({ ...sources, troubles: () => this.#ownTroubles() });
    if (cluster === undefined) return;
    const { client, nodes, onLeaseTimeout } = cluster;
    const common = { nodeName: settings.nodeName, client, clock, random };
    this.#csi = new CsiNodeKeeper({
      ...common,
      onChange: () => this.poke(),
      logger: logger.child({ component: 'csi-node' }),
    });
    this.#lease = new LeaseKeeper({
      ...common,
      leaseDurationSeconds: settings.nodeLeaseDurationSeconds,
      nodeUid: () => this.#reporter?.node?.metadata?.uid,
      ...(onLeaseTimeout === undefined ? {} : { onTimeout: onLeaseTimeout }),
      logger: logger.child({ component: 'lease' }),
    });
    this.#reporter = new NodeReporter({
      ...common,
      settings,
      nodes,
      collect: (addresses) => this.#collector.collect(addresses),
      events,
      onNode: (node) => this.#noteNode(node),
      ...(options.onVolumesReported === undefined ? {} : { onVolumesReported: options.onVolumesReported }),
      logger: logger.child({ component: 'node-status' }),
    });
  }

  /** Looks at the machine once, so that `node` has an answer, and begins. */
  async start(): Promise<void> {
    const { events, sources, clock, startedAt } = this.#options;
    const { signal } = this.#stopping;
    events.event('Normal', 'Starting', 'Starting kubelet.');
    const node = initialNode(await this.#collector.collect(), sources.settings, clock.now());
    this.#local = { ...node, metadata: { ...node.metadata, creationTimestamp: apiTime(startedAt) } };
    if (this.#reporter !== undefined) {
      this.#running = Promise.all([this.#reporter.run(signal), this.#lease?.run(signal)]);
      return;
    }
    this.#announcer.conditions([], node.status?.conditions ?? []);
    this.#running = this.#runLocally(signal);
  }

  /** Ends the loops; the Node object and its Lease stay. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#csiFor?.stop.abort();
    await this.#running;
  }

  /** The newest that is known: the API server's object, or before (or without) one what it would be. */
  node(): Node {
    return this.#reporter?.node ?? this.#local;
  }

  /** Something that the status shows may have changed. */
  poke(): void {
    this.#reporter?.poke();
    this.#wakeup.ring();
  }

  /** Why the node isn't ready, or isn't seen to be: the first line of every explanation. */
  troubles(): string[] {
    const ready = this.node().status?.conditions?.find(({ type }) => type === 'Ready');
    const lease = this.#lease?.trouble;
    return [
      ...(ready === undefined || ready.status === 'True'
        ? []
        : [ready.message ?? ready.reason ?? 'not ready']),
      ...(this.#reporter?.trouble === undefined ? [] : [this.#reporter.trouble]),
      ...(lease === undefined ? [] : [`the node's lease can't be renewed: ${lease}`]),
    ];
  }

  #ownTroubles(): string[] {
    const storage = this.#csi?.trouble;
    return [...(storage === undefined ? [] : [storage]), ...(this.#options.sources.troubles?.() ?? [])];
  }

  #noteNode(node: Node | undefined): void {
    this.#options.onNode?.(node);
    const uid = node?.metadata?.uid;
    if (uid === this.#csiFor?.uid) return;
    if (uid !== undefined) this.#lease?.wake();
    this.#csiFor?.stop.abort();
    this.#csiFor = undefined;
    if (uid === undefined) return;
    const stop = new AbortController();
    this.#csiFor = { uid, stop };
    void this.#csi?.ensure(uid, stop.signal);
  }

  async #runLocally(signal: AbortSignal): Promise<void> {
    const { sources, clock } = this.#options;
    while (!signal.aborted) {
      await this.#wakeup.wait(clock, sources.settings.nodeStatusUpdateFrequencyMs, signal);
      if (signal.aborted) return;
      const before = this.#local;
      const facts = await this.#collector.collect(before.status?.addresses);
      this.#local = updatedNode(before, facts, sources.settings, clock.now());
      this.#announcer.conditions(before.status?.conditions ?? [], this.#local.status?.conditions ?? []);
    }
  }
}

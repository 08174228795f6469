/** Registers the node and keeps its Node object true: at once when something changes, else now and then. */
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { isApiAlreadyExists, isApiForbidden, isApiNotFound } from '#lib/kube/api-error.ts';
import type { ApiCall, Informer, KubeClient } from '#lib/kube/client.ts';
import { resources } from '#lib/kube/client.ts';
import type { Node } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { NodeAddress } from './addresses.ts';
import { NodeAnnouncer } from './node-announcer.ts';
import type { NodeEvents } from './node-events.ts';
import type { NodeFacts } from './node-status.ts';
import { updatedNode } from './node-status.ts';
import { initialNode, reconciledNode } from './registration-object.ts';
import { Wakeup, retryPause } from './retry.ts';
import type { NodeSettings } from './settings.ts';
import { nodeHasChanged, statusPatch } from './status-patch.ts';
import { isNewer } from './versions.ts';

export interface NodeReporterOptions {
  settings: NodeSettings;
  client: Pick<KubeClient, 'get' | 'create' | 'patch'>;
  /** Of this node alone (field selector metadata.name). */
  nodes: Pick<Informer<Node>, 'get' | 'onChange'>;
  collect: (addresses: readonly NodeAddress[]) => Promise<NodeFacts>;
  events: NodeEvents;
  /** Called with each version of the Node object, and with undefined when it is gone. */
  onNode?: (node: Node | undefined) => void;
  /** Called with the volumes that the API server now knows to be in use. */
  onVolumesReported?: (volumesInUse: readonly string[]) => void;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

const DEADLINE_MS = 10_000;
const TRIES = 5;
const DEBOUNCE_MS = 50;
const JITTER = 0.04;

export class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #wakeup = new Wakeup();
  readonly #announcer: NodeAnnouncer;
  #node: Node | undefined;
  /** What registration wants to put right in an object that existed already. */
  #reconcile: Node | undefined;
  #registered = false;
  #reportedAt: number | undefined;
  #delayMs = 0;
  /** Why the API server doesn't have the node's status of now, while it doesn't. */
  trouble: string | undefined;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#announcer = new NodeAnnouncer(options.settings.nodeName, options.events);
  }

  /** The newest version of the Node object that is known; undefined before there is one. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** Something that the status shows may have changed. */
  poke(): void {
    this.#wakeup.ring();
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    this.#watch();
    while (!signal.aborted) {
      if (this.#mayRegister()) await this.#register(signal);
      await this.#sync(signal);
      await this.#pause(signal);
    }
  }

  #watch(): void {
    const { nodes, settings } = this.#options;
    const seen = nodes.get({ name: settings.nodeName });
    if (seen !== undefined) this.#adopt(seen);
    nodes.onChange((changes) => {
      for (const { type, object } of changes) {
        if (object.metadata?.name !== settings.nodeName) continue;
        if (type !== 'deleted') this.#adopt(object);
        else if (this.#node?.metadata?.uid === object.metadata.uid) this.#forget();
      }
    });
  }

  #adopt(node: Node): void {
    const before = this.#node;
    const another = before !== undefined && before.metadata?.uid !== node.metadata?.uid;
    if (before !== undefined && !another && !isNewer(node, before)) return;
    this.#node = node;
    this.#announcer.schedulable(node.spec?.unschedulable === true);
    this.#options.onNode?.(node);
    if (before === undefined || another) {
      this.#reportedAt = undefined;
      this.poke();
    }
  }

  #forget(): void {
    if (this.#node === undefined) return;
    this.#node = undefined;
    this.#reportedAt = undefined;
    const { logger, settings } = this.#options;
    const next = settings.recreateDeletedNode ? 'it is made again' : 'it is made again when the agent starts';
    logger.warn({ node: settings.nodeName }, `the Node object was deleted: ${next}`);
    this.trouble = `the Node object was deleted; ${next}`;
    this.#options.onNode?.(undefined);
    this.poke();
  }

  /** A deleted Node stays away while the agent runs: coming back would undo the removal of the node. */
  #mayRegister(): boolean {
    const { registerNode, recreateDeletedNode } = this.#options.settings;
    if (!registerNode) return false;
    return !this.#registered || (recreateDeletedNode && this.#node === undefined);
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { logger, clock, settings } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#tryRegister(signal);
        this.#registered = true;
        this.trouble = undefined;
        logger.info({ node: settings.nodeName }, 'the node is registered');
        return;
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        this.trouble = `the node can't be registered: ${describeError(error)}`;
        logger.warn({ err: error, failures }, "the node can't be registered");
        await sleep(clock, retryPause(failures), signal).catch(() => undefined);
      }
    }
  }

  async #tryRegister(signal: AbortSignal): Promise<void> {
    const { client, collect, clock, settings } = this.#options;
    const call = callOf(signal);
    const initial = initialNode(await collect([]), settings, clock.now());
    try {
      const created = await client.create<Node>(resources.nodes, {}, initial, call);
      this.#announcer.conditions([], created.status?.conditions ?? []);
      this.#adopt(created);
      this.#noteReport(true);
      return;
    } catch (error) {
      // Who may not make nodes may still have one.
      if (!isApiAlreadyExists(error) && !isApiForbidden(error)) throw error;
    }
    let existing = await client.get<Node>(resources.nodes, { name: settings.nodeName }, call);
    if (settings.providerId !== '' && (existing.spec?.providerID ?? '') === '') {
      const body = { spec: { providerID: settings.providerId } };
      existing = await client.patch<Node>(
        resources.nodes,
        { name: settings.nodeName },
        { type: 'merge', body },
        call,
      );
    }
    this.#reconcile = initial;
    this.#adopt(existing);
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { logger, clock } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#report(signal, failures > 0);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (isApiNotFound(error)) {
          this.#forget();
          return;
        }
        failures++;
        this.trouble = `the node's status can't be written: ${describeError(error)}`;
        logger.warn({ err: error, failures }, "the node's status can't be written");
        if (failures === TRIES) return;
        await sleep(clock, retryPause(failures), signal).catch(() => undefined);
      }
    }
  }

  /** Writes the status if it differs or is due. `fresh`: compare with what the API server has, not with the copy. */
  async #report(signal: AbortSignal, fresh: boolean): Promise<void> {
    const { client, collect, clock, settings, logger } = this.#options;
    const call = callOf(signal);
    const name = { name: settings.nodeName };
    if (fresh) this.#adopt(await client.get<Node>(resources.nodes, name, call));
    const before = this.#node;
    if (before === undefined) return;
    const facts = await collect(before.status?.addresses ?? []);
    if ('trouble' in facts.addresses)
      logger.warn({ reason: facts.addresses.trouble }, 'the node has no address');
    const base = this.#reconcile === undefined ? before : reconciledNode(before, this.#reconcile);
    const after = updatedNode(base, facts, settings, clock.now());
    const changed = nodeHasChanged(before, after);
    if (changed || this.#isDue()) {
      const body = statusPatch(before, after);
      if (body !== undefined) {
        const at = { ...name, subresource: 'status' };
        const written = await client.patch<Node>(resources.nodes, at, { type: 'strategic', body }, call);
        this.#announcer.rebooted(before, after);
        this.#announcer.conditions(before.status?.conditions ?? [], after.status?.conditions ?? []);
        this.#adopt(written);
      }
      this.#noteReport(changed);
    }
    this.#reconcile = undefined;
    this.trouble = undefined;
    this.#options.onVolumesReported?.(this.#node?.status?.volumesInUse ?? []);
  }

  #isDue(): boolean {
    const every = this.#options.settings.nodeStatusReportFrequencyMs + this.#delayMs;
    return this.#reportedAt === undefined || this.#options.clock.monotonic() - this.#reportedAt >= every;
  }

  /** After a change the next report comes at a random moment, so that the nodes of a cluster don't all write at once. */
  #noteReport(changed: boolean): void {
    const { clock, random, settings } = this.#options;
    const spread = changed || this.#reportedAt === undefined;
    this.#delayMs = spread ? settings.nodeStatusReportFrequencyMs * (random() - 0.5) : 0;
    this.#reportedAt = clock.monotonic();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock, random, settings } = this.#options;
    const tick = settings.nodeStatusUpdateFrequencyMs * (1 + JITTER * random());
    const rung = await this.#wakeup.wait(clock, tick, signal);
    // What changes together is written together.
    if (rung) await sleep(clock, DEBOUNCE_MS, signal).catch(() => undefined);
  }
}

const callOf = (signal: AbortSignal): ApiCall => ({ signal, lane: 'status', deadlineMs: DEADLINE_MS });

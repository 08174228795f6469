/** The node's Lease: the heartbeat that keeps its pods from being moved away. A loop that waits for nobody else. */
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { isApiConflict, isApiNotFound } from '#lib/kube/api-error.ts';
import type { ApiCall, ApiObject, KubeClient } from '#lib/kube/client.ts';
import { resources } from '#lib/kube/client.ts';
import type { Logger } from '#lib/logger.ts';
import { Wakeup, gotNoAnswer, retryPause } from './retry.ts';

const NAMESPACE = 'kube-node-lease';
/** A call gets a part of the interval, so that one that hangs leaves time for others before anybody misses a beat. */
const DEADLINE_PART = 0.5;
const JITTER = 0.04;

export interface Lease extends ApiObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    renewTime?: string;
  };
}

export interface LeaseKeeperOptions {
  nodeName: string;
  leaseDurationSeconds: number;
  client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  /** UID of the Node object; undefined while there is none. A new Lease waits for it, an existing one doesn't. */
  nodeUid: () => string | undefined;
  /** Called when a call got no answer: connections that are dead without knowing it should be dropped. */
  onTimeout?: () => void;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** Wall milliseconds as the API writes times with microseconds. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000Z');

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #renewMs: number;
  readonly #wakeup = new Wakeup();
  #known: Lease | undefined;
  /** Wall time of the last renewal that the API server took. */
  lastRenewed: number | undefined;
  /** Why the newest try failed, while it does. */
  trouble: string | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#renewMs = options.leaseDurationSeconds * 250;
  }

  /** Renews until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      let pause: number;
      try {
        const done = await this.#beat(signal);
        if (done && failures > 0) logger.info({ failures }, "the node's lease is renewed again");
        failures = done ? 0 : failures;
        pause = this.#renewMs * (1 + JITTER * random());
        this.trouble = undefined;
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        this.trouble = describeError(error);
        logger.warn({ err: error, failures }, "the node's lease can't be renewed");
        if (gotNoAnswer(error)) this.#options.onTimeout?.();
        // A conflict or a lease that is gone needs no pause: the next try begins with a fresh look.
        const fresh = isApiConflict(error) || isApiNotFound(error);
        pause = fresh && failures === 1 ? 0 : retryPause(failures);
      }
      await this.#wakeup.wait(clock, pause, signal);
    }
  }

  /** Tells that there is a Node object now: a lease that waited for it is made at once. */
  wake(): void {
    this.#wakeup.ring();
  }

  /** One renewal. Says false where there is neither a lease nor a node that could own one. */
  async #beat(signal: AbortSignal): Promise<boolean> {
    const { client, clock, nodeName, leaseDurationSeconds, nodeUid } = this.#options;
    const call: ApiCall = { signal, lane: 'lease', deadlineMs: Math.floor(this.#renewMs * DEADLINE_PART) };
    const name = { namespace: NAMESPACE, name: nodeName };
    const known = this.#known ?? (await orUndefined(client.get<Lease>(resources.leases, name, call)));
    const uid = nodeUid();
    if (known === undefined && uid === undefined) return false;
    const lease: Lease = {
      ...known,
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...known?.metadata, ...name, ...ownedBy(known, nodeName, uid) },
      spec: {
        ...known?.spec,
        holderIdentity: known?.spec?.holderIdentity ?? nodeName,
        leaseDurationSeconds,
        renewTime: microTime(clock.now()),
      },
    };
    this.#known = undefined;
    this.#known =
      known === undefined
        ? await client.create<Lease>(resources.leases, { namespace: NAMESPACE }, lease, call)
        : await client.replace<Lease>(resources.leases, name, lease, call);
    this.lastRenewed = clock.now();
    return true;
  }
}

type Owners = Pick<NonNullable<ApiObject['metadata']>, 'ownerReferences'>;

/** The owner is the Node object of now: an older one's UID would have the lease collected as garbage. */
function ownedBy(lease: Lease | undefined, nodeName: string, uid: string | undefined): Owners {
  const present = lease?.metadata?.ownerReferences ?? [];
  if (uid === undefined) return { ownerReferences: present };
  const others = present.filter(({ kind }) => kind !== 'Node');
  return { ownerReferences: [...others, { apiVersion: 'v1', kind: 'Node', name: nodeName, uid }] };
}

async function orUndefined<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isApiNotFound(error)) return undefined;
    throw error;
  }
}

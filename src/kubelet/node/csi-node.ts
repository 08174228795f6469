/** The node's CSINode object: it must stand, and be this Node's, before the node is ready. */
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { isApiForbidden, isApiNotFound } from '#lib/kube/api-error.ts';
import type { ApiCall, ApiObject, KubeClient } from '#lib/kube/client.ts';
import { resources } from '#lib/kube/client.ts';
import type { Logger } from '#lib/logger.ts';
import { retryPause } from './retry.ts';

const MIGRATED = 'storage.alpha.kubernetes.io/migrated-plugins';

/** The in-tree kinds that are served by CSI drivers. */
const MIGRATED_PLUGINS = [
  'kubernetes.io/aws-ebs',
  'kubernetes.io/azure-disk',
  'kubernetes.io/azure-file',
  'kubernetes.io/cinder',
  'kubernetes.io/gce-pd',
  'kubernetes.io/portworx-volume',
  'kubernetes.io/vsphere-volume',
];

/** How long a storage API that is forbidden or not there may keep the node from being ready. */
const PATIENCE_MS = 30_000;
const SLOW_RETRY_MS = 60_000;
const DEADLINE_MS = 10_000;

export interface CsiNode extends ApiObject {
  spec?: { drivers?: unknown[] };
}

export interface CsiNodeKeeperOptions {
  nodeName: string;
  client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'delete'>;
  /** Called when `trouble` has changed. */
  onChange(): void;
  clock: Clock;
  logger: Logger;
}

export class CsiNodeKeeper {
  readonly #options: CsiNodeKeeperOptions;
  /** Why the node isn't ready for volumes yet, in upstream's words. */
  trouble: string | undefined = 'CSINode is not yet initialized';

  constructor(options: CsiNodeKeeperOptions) {
    this.#options = options;
  }

  /** Sees to it that the object stands and belongs to the Node of that UID; returns when it does. Never rejects. */
  async ensure(nodeUid: string, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const since = clock.monotonic();
    let gaveUp = false;
    for (let failures = 0; !signal.aborted;) {
      try {
        if (await this.#once(nodeUid, signal)) {
          this.#say(undefined);
          return;
        }
        await sleep(clock, retryPause(1), signal);
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        logger.warn({ err: error, failures }, 'the CSINode object cannot be initialized');
        const unserved = isApiForbidden(error) || isApiNotFound(error);
        if (!gaveUp && unserved && clock.monotonic() - since >= PATIENCE_MS) {
          gaveUp = true;
          logger.warn(
            { reason: 'StorageApiUnavailable' },
            'the storage API stays closed to this node: it becomes ready without a CSINode object, and CSI volumes will ' +
              'not work; check the node’s rights on csinodes.storage.k8s.io',
          );
        }
        this.#say(gaveUp ? undefined : `failed to initialize CSINode: ${describeError(error)}`);
        const pause = gaveUp ? SLOW_RETRY_MS : retryPause(failures);
        await sleep(clock, pause, signal).catch(() => undefined);
      }
    }
  }

  #say(trouble: string | undefined): void {
    if (this.trouble === trouble) return;
    this.trouble = trouble;
    this.#options.onChange();
  }

  /** Says whether all is well; false: what another Node owned was removed, so look again. */
  async #once(nodeUid: string, signal: AbortSignal): Promise<boolean> {
    const { client, nodeName } = this.#options;
    const call: ApiCall = { signal, lane: 'status', deadlineMs: DEADLINE_MS };
    const name = { name: nodeName };
    let present: CsiNode;
    try {
      present = await client.get<CsiNode>(resources.csiNodes, name, call);
    } catch (error) {
      if (!isApiNotFound(error)) throw error;
      await client.create<CsiNode>(resources.csiNodes, {}, freshCsiNode(nodeName, nodeUid), call);
      return true;
    }
    if (!isOwnedBy(present, nodeName, nodeUid)) {
      const uid = present.metadata?.uid;
      const options = uid === undefined ? {} : { preconditions: { uid } };
      await client.delete(resources.csiNodes, name, options, call);
      return false;
    }
    const wanted = withAnnotation(present);
    if (wanted !== present) await client.replace<CsiNode>(resources.csiNodes, name, wanted, call);
    return true;
  }
}

function freshCsiNode(nodeName: string, uid: string): CsiNode {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSINode',
    metadata: {
      name: nodeName,
      annotations: { [MIGRATED]: MIGRATED_PLUGINS.join(',') },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }],
    },
    spec: { drivers: [] },
  };
}

const isOwnedBy = (object: CsiNode, name: string, uid: string): boolean =>
  object.metadata?.ownerReferences?.some(
    (owner) => owner.kind === 'Node' && owner.name === name && owner.uid === uid,
  ) === true;

/** The same object where the annotation names the same plugins already, in whatever order. */
function withAnnotation(object: CsiNode): CsiNode {
  const present = (object.metadata?.annotations?.[MIGRATED] ?? '').split(',').toSorted().join(',');
  const wanted = MIGRATED_PLUGINS.join(',');
  if (present === wanted) return object;
  const annotations = { ...object.metadata?.annotations, [MIGRATED]: wanted };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

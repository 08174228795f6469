/** Wires CSI drivers: their registration, what the cluster has of them, and the volumes that they serve. */
import { join } from 'node:path';
import { CsiDriverRegistry } from '#kubelet/plugins/csi-drivers.ts';
import { CsiNodeDrivers } from '#kubelet/plugins/csi-node-drivers.ts';
import { PluginWatcher } from '#kubelet/plugins/plugin-watcher.ts';
import type { PluginHandler } from '#kubelet/plugins/registration.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import type { ServiceAccountTokens } from '#volumes/content.ts';
import { CsiKind, CsiPlugin } from '#volumes/csi/csi-kinds.ts';
import { CsiVolumes } from '#volumes/csi/csi-volumes.ts';
import type { VolumeEvents } from '#volumes/fs-group.ts';
import type { VolumePlugin } from '#volumes/plugin.ts';
import type { PersistentKind } from '#volumes/sources/source.ts';
import type { StorageSupplies } from './pod-references.ts';

export interface CsiPlan {
  root: string;
  nodeName: string;
  storage: StorageSupplies;
  tokens: ServiceAccountTokens | undefined;
  events: VolumeEvents;
  onDue(podUid: string): void;
  clock: Clock;
  log: Logger;
}

export interface CsiParts {
  kind: PersistentKind;
  plugin: VolumePlugin;
  /** For the node's status; undefined until what earlier processes left is known. */
  volumesInUse(): readonly string[] | undefined;
  onVolumesReported(names: readonly string[]): void;
  /** `others`: what takes plugins of other types that register in the same folder. */
  start(others?: ReadonlyMap<string, PluginHandler>): Promise<void>;
  stop(): Promise<void>;
}

export function composeCsi(plan: CsiPlan): CsiParts {
  const { root, nodeName, storage, tokens, events, clock } = plan;
  const { client, csiDrivers } = storage;
  const logger = plan.log.child({ component: 'csi' });
  const drivers = new CsiDriverRegistry({
    nodeDrivers: new CsiNodeDrivers({ nodeName, client }),
    objects: csiDrivers,
    onRegistered: () => volumes.sweep(),
    clock,
    logger,
  });
  const volumes = new CsiVolumes({
    root,
    nodeName,
    client,
    node: () => storage.node(),
    drivers,
    tokens,
    onInUse: () => storage.onInUse(),
    onDue: (uid) => plan.onDue(uid),
    events,
    clock,
    logger,
  });
  let watcher: PluginWatcher | undefined;
  /** Of volumes that nobody attaches nobody asks whether they are in use. */
  const isAttachable = (name: string): boolean => {
    const driver = /^kubernetes\.io\/csi\/(.+?)\^/.exec(name)?.[1] ?? '';
    return csiDrivers.get({ name: driver })?.spec.attachRequired !== false;
  };
  return {
    kind: new CsiKind({ root, volumes, drivers, client }),
    plugin: new CsiPlugin(volumes),
    volumesInUse: () => volumes.inUse.list()?.filter(isAttachable),
    onVolumesReported: (names) => volumes.inUse.noteReported(names),
    async start(others = new Map()) {
      await volumes.adopt();
      const handlers = new Map<string, PluginHandler>([...others, ['CSIPlugin', drivers]]);
      watcher = new PluginWatcher({ folder: join(root, 'plugins_registry'), handlers, clock, logger });
      await watcher.start();
    },
    async stop() {
      volumes.stop();
      await watcher?.stop();
      drivers.close();
    },
  };
}

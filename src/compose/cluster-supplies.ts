import { join } from 'node:path';
import { KeptServices } from '#kubelet/objects/kept-services.ts';
import type { ServiceLister } from '#kubelet/objects/ports.ts';
import { WatchedObjects } from '#kubelet/objects/watched-objects.ts';
import type { Clock } from '#lib/clock.ts';
import { readAmounts } from '#lib/kube/resources.ts';
import type { Node } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { Cluster } from './cluster.ts';
import type { PodSupplies } from './pod-references.ts';

/** What pods take from the cluster. `root`: the agent's folder, which is there. */
export async function clusterSupplies(
  cluster: Cluster,
  { node, poke }: { node: () => Node; poke: () => void },
  root: string,
  clock: Clock,
  log: Logger,
): Promise<PodSupplies> {
  const { api, runtimeClasses, csiDrivers } = cluster;
  return {
    objects: new WatchedObjects(api.watches, clock),
    services: await servicesOf(cluster, root, clock, log),
    runtimeClasses,
    client: api.client,
    storage: { client: api.client, node, csiDrivers, onInUse: poke },
    allocatable: () => readAmounts(node().status?.allocatable, 'node status.allocatable'),
  };
}

async function servicesOf(
  { services, offlineStart }: Cluster,
  root: string,
  clock: Clock,
  log: Logger,
): Promise<ServiceLister> {
  if (offlineStart === undefined) return services;
  const { afterMs } = offlineStart;
  const kept = new KeptServices({ services, file: join(root, 'services.json'), afterMs, clock, log });
  await kept.start();
  return kept;
}

import { WatchedObjects } from '#kubelet/objects/watched-objects.ts';
import type { Clock } from '#lib/clock.ts';
import { readAmounts } from '#lib/kube/resources.ts';
import type { Node } from '#lib/kube/types.ts';
import type { Cluster } from './cluster.ts';
import type { PodSupplies } from './pod-references.ts';

/** What pods take from the cluster. */
export const clusterSupplies = (
  { api, services, runtimeClasses, csiDrivers }: Cluster,
  { node, poke }: { node: () => Node; poke: () => void },
  clock: Clock,
): PodSupplies => ({
  objects: new WatchedObjects(api.watches, clock),
  services,
  runtimeClasses,
  client: api.client,
  storage: { client: api.client, node, csiDrivers, onInUse: poke },
  allocatable: () => readAmounts(node().status?.allocatable, 'node status.allocatable'),
});

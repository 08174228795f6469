/** Builds what pods take from elsewhere: objects, services, tokens, RuntimeClasses. */
import { availableParallelism } from 'node:os';
import type { LocalObjects } from '#kubelet/objects/local-objects.ts';
import { noObjects } from '#kubelet/objects/no-objects.ts';
import { PodReferences } from '#kubelet/objects/pod-references.ts';
import type { PodObjects, RuntimeClassLister, ServiceLister } from '#kubelet/objects/ports.ts';
import { TokenManager } from '#kubelet/objects/token-manager.ts';
import type { Clock } from '#lib/clock.ts';
import type { Informer, KubeClient } from '#lib/kube/client.ts';
import { Quantity } from '#lib/kube/quantity.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { CsiDriver, Node } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { Machine } from './machine.ts';

/** Where what pods name comes from; what is absent isn't to be had. */
export interface PodSupplies {
  objects: PodObjects;
  /** Whether static pods' pull secrets are among the objects, too, before the node's files. */
  hasPullSecretsOfStaticPods?: boolean;
  services?: ServiceLister;
  runtimeClasses?: RuntimeClassLister;
  /** For tokens of service accounts. */
  client?: Pick<KubeClient, 'create'>;
  /** For claims and what is behind them. */
  storage?: StorageSupplies;
  /** What pods may use of this node; all that the machine has unless given. */
  allocatable?: () => ResourceAmounts;
}

export interface StorageSupplies {
  client: Pick<KubeClient, 'get' | 'replace' | 'patch'>;
  node(): Node;
  /** All CSIDriver objects. */
  csiDrivers: Pick<Informer<CsiDriver>, 'hasSynced' | 'synced' | 'get'>;
  /** What volumes are in use has changed: the node's status says so. */
  onInUse(): void;
}

/** For an agent without an API server: whatever needs one is refused by name. */
export const localSupplies = (objects: LocalObjects | undefined): PodSupplies =>
  objects === undefined ? { objects: noObjects } : { objects, hasPullSecretsOfStaticPods: true };

export interface ReferenceParts {
  references: PodReferences;
  objects: PodObjects;
  tokens: TokenManager | undefined;
  allocatable: () => ResourceAmounts;
}

export function composeReferences(
  { objects, services, runtimeClasses, client, allocatable }: PodSupplies,
  machine: Machine,
  clock: Clock,
  log: Logger,
): ReferenceParts {
  const tokens =
    client &&
    new TokenManager({
      client,
      clock,
      random: Math.random,
      log: log.child({ component: 'tokens' }),
      onDue: (uid) => references.changed(uid),
    });
  const perPod = tokens === undefined ? [] : [tokens];
  const references = new PodReferences({ objects, services, runtimeClasses, perPod, clock });
  return { references, objects, tokens, allocatable: allocatable ?? (() => wholeMachine(machine)) };
}

const wholeMachine = ({ resources }: Machine): ResourceAmounts =>
  new Map([
    ['cpu', Quantity.fromInteger(availableParallelism())],
    ['memory', Quantity.fromInteger(resources.memoryCapacityBytes, 'BinarySI')],
  ]);

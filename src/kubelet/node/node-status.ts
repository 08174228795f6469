/** The Node object as a function of what is known. */
import type { Image, RuntimeStatus, RuntimeVersion } from '#cri/types.ts';
import type { MachineFacts } from '#host/machine-facts.ts';
import type { Node } from '#lib/kube/types.ts';
import type { AddressChoice } from './addresses.ts';
import { PROVIDED_NODE_IP, providedNodeIp } from './addresses.ts';
import { nodeResources } from './capacity.ts';
import { nodeConditions } from './conditions.ts';
import type { ConditionFacts } from './conditions.ts';
import type { NodeSettings } from './settings.ts';

export type NodeStatus = NonNullable<Node['status']>;

/** Everything that a status is made of. */
export interface NodeFacts extends ConditionFacts {
  machine: MachineFacts;
  /** Bytes of the filesystem with the agent's folder; undefined: it can't be read now. */
  ephemeralStorageBytes: number | undefined;
  runtimeVersion: Pick<RuntimeVersion, 'runtimeName' | 'runtimeVersion'>;
  /** The runtime's last word; undefined before the first. */
  runtime: Pick<RuntimeStatus, 'runtimeHandlers' | 'features'> | undefined;
  /** undefined: not known yet. */
  images: readonly Image[] | undefined;
  addresses: AddressChoice;
  /** Unique names of the volumes in use; undefined until what was mounted before is known again. */
  volumesInUse: readonly string[] | undefined;
  kubernetesVersion: string;
}

const MAX_NAMES = 5;

/** The largest images, each with a few of its names. */
export function statusImages(images: readonly Image[], max: number): NonNullable<NodeStatus['images']> {
  const sorted = images.toSorted((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1));
  return (max < 0 ? sorted : sorted.slice(0, max)).map(({ repoDigests, repoTags, size }) => ({
    names: [...repoDigests, ...repoTags].slice(0, MAX_NAMES),
    sizeBytes: size,
  }));
}

/** What the runtime can, sorted so that its order is no change. */
function runtimeFields(runtime: NodeFacts['runtime']): Partial<NodeStatus> {
  if (runtime === undefined) return {};
  const handlers = runtime.runtimeHandlers.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    runtimeHandlers: handlers.map(({ name, recursiveReadOnlyMounts, userNamespaces }) => ({
      // The default handler has no name, and the API leaves an empty one out.
      ...(name === '' ? {} : { name }),
      features: { recursiveReadOnlyMounts, userNamespaces },
    })),
    features: { supplementalGroupsPolicy: runtime.features.supplementalGroupsPolicy },
  };
}

function nodeInfo({
  machine,
  runtimeVersion,
  kubernetesVersion,
}: NodeFacts): NonNullable<NodeStatus['nodeInfo']> {
  return {
    machineID: machine.machineId,
    systemUUID: machine.systemUuid,
    bootID: machine.bootId,
    kernelVersion: machine.kernelVersion,
    osImage: machine.osImage,
    containerRuntimeVersion: `${runtimeVersion.runtimeName}://${runtimeVersion.runtimeVersion}`,
    kubeletVersion: kubernetesVersion,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: machine.architecture,
    ...(machine.swapBytes > 0 ? { swap: { capacity: machine.swapBytes } } : {}),
  };
}

/**
 * The status from now on, given the one that stands: what others have written (their conditions, extended resources,
 * attached volumes) stays. `now`: wall milliseconds.
 */
export function nodeStatus(
  before: NodeStatus,
  facts: NodeFacts,
  settings: NodeSettings,
  now: number,
): NodeStatus {
  const capacityFacts = { ...facts.machine, ephemeralStorageBytes: facts.ephemeralStorageBytes };
  const resources = nodeResources(capacityFacts, settings, before);
  const required = [
    'cpu',
    'memory',
    'pods',
    ...(settings.localStorageCapacityIsolation ? ['ephemeral-storage'] : []),
  ];
  const missing = required.filter((name) => resources.capacity[name] === undefined);
  const troubles =
    missing.length === 0
      ? facts.troubles
      : [...facts.troubles, `missing node capacity for resources: ${missing.join(', ')}`];
  const status: NodeStatus = {
    ...before,
    ...resources,
    ...runtimeFields(facts.runtime),
    conditions: nodeConditions(before.conditions ?? [], { ...facts, troubles }, now),
    nodeInfo: nodeInfo(facts),
    daemonEndpoints: settings.kubeletPort === 0 ? {} : { kubeletEndpoint: { Port: settings.kubeletPort } },
  };
  if ('addresses' in facts.addresses) status.addresses = facts.addresses.addresses;
  if (facts.images !== undefined) status.images = statusImages(facts.images, settings.nodeStatusMaxImages);
  if (facts.volumesInUse !== undefined) status.volumesInUse = facts.volumesInUse.toSorted();
  const features = settings.declaredFeatures.toSorted();
  if (features.length > 0) status.declaredFeatures = features;
  else delete status.declaredFeatures;
  return status;
}

/** The object with its present status, and with those of its labels and annotations that every status puts right. */
export function updatedNode(before: Node, facts: NodeFacts, settings: NodeSettings, now: number): Node {
  const annotations = { ...before.metadata?.annotations };
  const provided = providedNodeIp(settings);
  if (provided === undefined) delete annotations[PROVIDED_NODE_IP];
  else annotations[PROVIDED_NODE_IP] = provided;
  return {
    ...before,
    metadata: {
      ...before.metadata,
      labels: {
        ...before.metadata?.labels,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': facts.machine.architecture,
      },
      annotations,
    },
    status: nodeStatus(before.status ?? {}, facts, settings, now),
  };
}

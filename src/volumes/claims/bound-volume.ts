/** From a pod's claim to the PersistentVolume behind it. */
import { isApiForbidden, isApiNotFound } from '#lib/kube/api-error.ts';
import { type KubeClient, type Resource, resources } from '#lib/kube/client.ts';
import { describeError } from '#lib/errors.ts';
import type { AgentPod, PersistentVolume, PersistentVolumeClaim, Volume } from '#lib/kube/types.ts';
import { VolumeError } from '../errors.ts';

export type NodeSelectorTerm = NonNullable<
  NonNullable<NonNullable<PersistentVolume['spec']>['nodeAffinity']>['required']
>['nodeSelectorTerms'][number];

export type PersistentVolumeSpec = NonNullable<PersistentVolume['spec']>;

export interface BoundVolume {
  name: string;
  claim: PersistentVolumeClaim;
  volume: PersistentVolume;
  spec: PersistentVolumeSpec;
  /** What the pod's own volume says of its claim. */
  readOnly: boolean;
}

export interface ClaimSources {
  /** A node may get, but neither list nor watch, claims and PersistentVolumes. */
  client: Pick<KubeClient, 'get'>;
  /** Whether this node is one that any of the terms selects. */
  matchesNode(terms: readonly NodeSelectorTerm[]): boolean;
}

const PROTECTION = 'kubernetes.io/pvc-protection';

/** The claim that the volume names; an ephemeral volume's is named after pod and volume. */
export function claimNameOf(pod: AgentPod, volume: Volume): string {
  return volume.persistentVolumeClaim?.claimName ?? `${pod.metadata.name}-${volume.name}`;
}

/**
 * The PersistentVolume that the claim is bound to and that is bound to the claim. Rejects with a VolumeError that says
 * which of the conditions doesn't hold; all of them may come right by themselves.
 */
export async function boundVolume(
  pod: AgentPod,
  volume: Volume,
  sources: ClaimSources,
  signal: AbortSignal,
): Promise<BoundVolume> {
  const claimName = claimNameOf(pod, volume);
  const { namespace } = pod.metadata;
  const fail = (problem: string, cause?: unknown): VolumeError =>
    new VolumeError(volume.name, problem, { cause });
  const get = async <T extends object>(resource: Resource, kind: string, name: string): Promise<T> => {
    try {
      return await sources.client.get<T>(resource, resource.namespaced ? { namespace, name } : { name }, {
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (isApiNotFound(error)) throw fail(`${kind} ${JSON.stringify(name)} not found`);
      const why = isApiForbidden(error)
        ? 'the API server does not let this node read it (yet)'
        : 'it can’t be read';
      throw fail(`${kind} ${JSON.stringify(name)}: ${why}: ${describeError(error)}`, error);
    }
  };
  const named = `persistentvolumeclaim ${JSON.stringify(claimName)}`;
  const claim = await get<PersistentVolumeClaim>(
    resources.persistentVolumeClaims,
    'persistentvolumeclaim',
    claimName,
  );
  if (volume.ephemeral !== undefined && !isOwnedBy(claim, pod.metadata.uid))
    throw fail(`${named} was not made for this pod: the pod is not its owner`);
  const { metadata, spec, status } = claim;
  if (metadata?.deletionTimestamp !== undefined && metadata.finalizers?.includes(PROTECTION) !== true)
    throw fail(`${named} is being deleted`);
  if (status?.phase === 'Lost') throw fail(`${named} has lost its volume ${spec?.volumeName ?? ''}`);
  if (status?.phase !== 'Bound' || !spec?.volumeName)
    throw fail(
      `${named} is not bound (phase ${status?.phase ?? 'unknown'}): it waits for a PersistentVolume`,
    );
  const name = spec.volumeName;
  const found = await get<PersistentVolume>(resources.persistentVolumes, 'persistentvolume', name);
  const owner = found.spec?.claimRef;
  if (found.spec === undefined || owner === undefined)
    throw fail(`persistentvolume ${JSON.stringify(name)} is not bound to ${named} yet: it has no claimRef`);
  if (owner.uid !== metadata?.uid)
    throw fail(
      `persistentvolume ${JSON.stringify(name)} is bound to another claim (UID ${owner.uid ?? 'none'}) than ${named} ` +
        `(UID ${metadata?.uid ?? 'none'})`,
    );
  const terms = found.spec.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms !== undefined && !sources.matchesNode(terms))
    throw fail(
      `persistentvolume ${JSON.stringify(name)}: volume node affinity check failed: no matching NodeSelectorTerms`,
    );
  checkMode(pod, volume.name, found.spec.volumeMode ?? 'Filesystem');
  return {
    name,
    claim,
    volume: found,
    spec: found.spec,
    readOnly: volume.persistentVolumeClaim?.readOnly === true,
  };
}

const isOwnedBy = ({ metadata }: PersistentVolumeClaim, uid: string): boolean =>
  metadata?.ownerReferences?.some((owner) => owner.controller === true && owner.uid === uid) === true;

/** A device can't be mounted, and a file system isn't a device: which of them containers want is up to them. */
function checkMode({ spec }: AgentPod, name: string, mode: string): void {
  const containers = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  const field = mode === 'Block' ? 'volumeMounts' : 'volumeDevices';
  for (const container of containers) {
    if (container[field]?.some((each) => each.name === name) === true)
      throw new VolumeError(name, `volume ${name} has volumeMode ${mode}, but is specified in ${field}`);
  }
}

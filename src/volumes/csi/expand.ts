/** Volumes that have grown while they were in use, or before: the file system on them follows. */
import type { KubeClient } from '#lib/kube/client.ts';
import { resources } from '#lib/kube/client.ts';
import { Quantity, parseQuantityField } from '#lib/kube/quantity.ts';
import type { PersistentVolumeClaim } from '#lib/kube/types.ts';
import type { BoundVolume } from '../claims/bound-volume.ts';
import { secretValues } from './csi-context.ts';
import { type CsiVolume, capabilityOf } from './csi-request.ts';
import type { CsiNodeService } from './node-service.ts';

export interface ExpandRequest {
  volume: CsiVolume;
  bound: BoundVolume;
  service: CsiNodeService;
  volumePath: string;
  stagingTargetPath: string;
  client: Pick<KubeClient, 'get' | 'patch'>;
  signal: AbortSignal;
}

const quantityOf = (text: string | undefined, field: string): Quantity =>
  text === undefined ? Quantity.zero : parseQuantityField(text, field);

/** Whether the volume is larger than its claim has been told. */
export function hasGrown({ spec, claim }: BoundVolume): boolean {
  const now = quantityOf(spec.capacity?.['storage'], 'persistentvolume spec.capacity.storage');
  const before = quantityOf(
    claim.status?.capacity?.['storage'],
    'persistentvolumeclaim status.capacity.storage',
  );
  return claim.status?.capacity?.['storage'] !== undefined && now.value() > before.value();
}

/** Has the driver grow what is on the volume, and tells the claim. */
export async function expand(request: ExpandRequest): Promise<void> {
  const { volume, bound, service, client, signal } = request;
  const capabilities = await service.capabilities(signal);
  if (!capabilities.has('EXPAND_VOLUME') || volume.readOnly) return;
  const wanted = bound.spec.capacity?.['storage'] ?? '';
  const secrets = await secretValues(client, volume.expandSecret, signal);
  await service.expand(
    {
      volumeId: volume.handle,
      volumePath: request.volumePath,
      capacityRange: { requiredBytes: quantityOf(wanted, 'persistentvolume spec.capacity.storage').value() },
      ...(capabilities.has('STAGE_UNSTAGE_VOLUME') ? { stagingTargetPath: request.stagingTargetPath } : {}),
      volumeCapability: capabilityOf(volume, capabilities),
      secrets,
    },
    signal,
  );
  const { metadata, status } = bound.claim;
  const conditions = (status?.conditions ?? []).filter(
    ({ type }) => type !== 'Resizing' && type !== 'FileSystemResizePending' && type !== 'NodeResizeError',
  );
  await client.patch<PersistentVolumeClaim>(
    resources.persistentVolumeClaims,
    { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '', subresource: 'status' },
    {
      type: 'merge',
      body: {
        metadata: { uid: metadata?.uid },
        status: {
          capacity: { ...status?.capacity, storage: wanted },
          conditions,
          allocatedResourceStatuses: null,
        },
      },
    },
    { signal },
  );
}

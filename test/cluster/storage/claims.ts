/** PersistentVolumes with their claims, bound as a volume controller binds them. */
import type { PersistentVolume, PersistentVolumeClaim } from '#lib/kube/types.ts';
import type { ControlPlane } from '#test/control-plane/control-plane.ts';
import { testResources } from '#test/control-plane/resources.ts';

type Spec = Partial<NonNullable<PersistentVolume['spec']>>;

/** Claim and volume of one name; both have 1Gi unless the volume's spec says otherwise. */
export async function boundClaim(
  { client }: ControlPlane,
  name: string,
  source: Spec,
  bind = true,
): Promise<PersistentVolumeClaim> {
  const accessModes = source.accessModes ?? ['ReadWriteOnce'];
  const volumeMode = source.volumeMode ?? 'Filesystem';
  const claim = await client.create<PersistentVolumeClaim>(testResources.persistentVolumeClaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'default' },
    spec: {
      accessModes,
      volumeMode,
      volumeName: name,
      storageClassName: '',
      resources: { requests: { storage: '1Gi' } },
    },
  });
  await client.create(testResources.persistentVolumes, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes,
      volumeMode,
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        name,
        namespace: 'default',
        ...(claim.metadata?.uid === undefined ? {} : { uid: claim.metadata.uid }),
      },
      ...source,
    },
  });
  if (bind) await setBound({ client }, name, accessModes);
  return claim;
}

export async function setBound(
  { client }: Pick<ControlPlane, 'client'>,
  name: string,
  accessModes: readonly string[] = ['ReadWriteOnce'],
): Promise<void> {
  const status = { phase: 'Bound', accessModes, capacity: { storage: '1Gi' } };
  await client.patch(
    testResources.persistentVolumeClaims,
    { name, namespace: 'default', subresource: 'status' },
    { status },
    'merge',
  );
}

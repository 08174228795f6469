import type { Volume } from '#lib/kube/types.ts';
import { byName, type DescribeText } from './text.ts';

type Lines = readonly (readonly [name: string, value: string])[];

const optional = (value: boolean | undefined): string => String(value ?? false);

function projected(sources: NonNullable<Volume['projected']>['sources']): Lines {
  return (sources ?? []).flatMap((source): Lines => {
    if (source.secret !== undefined) {
      return [
        ['SecretName', source.secret.name ?? ''],
        ['Optional', optional(source.secret.optional)],
      ];
    }
    if (source.configMap !== undefined) {
      return [
        ['ConfigMapName', source.configMap.name ?? ''],
        ['Optional', optional(source.configMap.optional)],
      ];
    }
    if (source.downwardAPI !== undefined) return [['DownwardAPI', 'true']];
    const token = source.serviceAccountToken;
    return token === undefined ? [] : [['TokenExpirationSeconds', String(token.expirationSeconds ?? 3600)]];
  });
}

/** What kubectl says of the kinds of volume that a node's own pods have; the others by their kind. */
function linesOf(volume: Volume): Lines {
  if (volume.hostPath !== undefined) {
    return [
      ['Type', 'HostPath (bare host directory volume)'],
      ['Path', volume.hostPath.path],
      ['HostPathType', volume.hostPath.type ?? '<none>'],
    ];
  }
  if (volume.emptyDir !== undefined) {
    const limit = volume.emptyDir.sizeLimit;
    return [
      ['Type', "EmptyDir (a temporary directory that shares a pod's lifetime)"],
      ['Medium', volume.emptyDir.medium ?? ''],
      ['SizeLimit', limit === undefined || limit === '0' ? '<unset>' : limit],
    ];
  }
  if (volume.secret !== undefined) {
    return [
      ['Type', 'Secret (a volume populated by a Secret)'],
      ['SecretName', volume.secret.secretName ?? ''],
      ['Optional', optional(volume.secret.optional)],
    ];
  }
  if (volume.configMap !== undefined) {
    return [
      ['Type', 'ConfigMap (a volume populated by a ConfigMap)'],
      ['Name', volume.configMap.name ?? ''],
      ['Optional', optional(volume.configMap.optional)],
    ];
  }
  if (volume.projected !== undefined) {
    return [
      ['Type', 'Projected (a volume that contains injected data from multiple sources)'],
      ...projected(volume.projected.sources),
    ];
  }
  if (volume.persistentVolumeClaim !== undefined) {
    return [
      ['Type', 'PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)'],
      ['ClaimName', volume.persistentVolumeClaim.claimName],
      ['ReadOnly', optional(volume.persistentVolumeClaim.readOnly)],
    ];
  }
  if (volume.nfs !== undefined) {
    return [
      ['Type', 'NFS (an NFS mount that lasts the lifetime of a pod)'],
      ['Server', volume.nfs.server],
      ['Path', volume.nfs.path],
      ['ReadOnly', optional(volume.nfs.readOnly)],
    ];
  }
  if (volume.csi !== undefined) {
    const attributes = Object.entries(volume.csi.volumeAttributes ?? {}).sort(byName);
    return [
      ['Type', 'CSI (a Container Storage Interface (CSI) volume source)'],
      ['Driver', volume.csi.driver],
      ['FSType', volume.csi.fsType ?? ''],
      ['ReadOnly', optional(volume.csi.readOnly)],
      ...attributes.map(
        ([name, value], index) => [index === 0 ? 'VolumeAttributes' : '', `${name}=${value}`] as const,
      ),
    ];
  }
  if (volume.image !== undefined) {
    return [
      ['Type', 'Image (a container image or OCI artifact)'],
      ['Reference', volume.image.reference ?? ''],
      ['PullPolicy', volume.image.pullPolicy ?? ''],
    ];
  }
  const kind = Object.keys(volume).find((key) => key !== 'name');
  return [['Type', kind ?? '<unknown>']];
}

/** The pod's volumes. */
export function describeVolumes(text: DescribeText, volumes: readonly Volume[] | undefined): void {
  if (volumes === undefined || volumes.length === 0) {
    text.line(0, 'Volumes:', '<none>');
    return;
  }
  text.line(0, 'Volumes:');
  for (const volume of volumes) {
    text.line(1, `${volume.name}:`);
    if (volume.downwardAPI === undefined) {
      for (const [name, value] of linesOf(volume)) text.line(2, name === '' ? '' : `${name}:`, value);
      continue;
    }
    text.line(2, 'Type:', 'DownwardAPI (a volume populated by information about the pod)').line(2, 'Items:');
    for (const item of volume.downwardAPI.items ?? []) {
      text.line(3, `${item.fieldRef?.fieldPath ?? item.resourceFieldRef?.resource ?? ''} -> ${item.path}`);
    }
  }
}

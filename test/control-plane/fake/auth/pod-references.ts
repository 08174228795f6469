import type { Container, Pod, Volume } from '#lib/kube/types.ts';

export interface PodReferences {
  secrets: Set<string>;
  configMaps: Set<string>;
  claims: Set<string>;
}

const SECRET_REF_KINDS = ['cephfs', 'cinder', 'flexVolume', 'rbd', 'scaleIO', 'iscsi', 'storageos'] as const;

function ofContainer({ env = [], envFrom = [] }: Container, into: PodReferences): void {
  for (const { valueFrom } of env) {
    if (valueFrom?.secretKeyRef?.name) into.secrets.add(valueFrom.secretKeyRef.name);
    if (valueFrom?.configMapKeyRef?.name) into.configMaps.add(valueFrom.configMapKeyRef.name);
  }
  for (const { secretRef, configMapRef } of envFrom) {
    if (secretRef?.name) into.secrets.add(secretRef.name);
    if (configMapRef?.name) into.configMaps.add(configMapRef.name);
  }
}

function ofVolume(volume: Volume, pod: Pod, into: PodReferences): void {
  const { name, secret, configMap, projected, csi, azureFile } = volume;
  const secrets = [
    secret?.secretName,
    csi?.nodePublishSecretRef?.name,
    azureFile?.secretName,
    ...SECRET_REF_KINDS.map((kind) => volume[kind]?.secretRef?.name),
    ...(projected?.sources ?? []).map((source) => source.secret?.name),
  ];
  for (const each of secrets) if (each) into.secrets.add(each);
  for (const each of [
    configMap?.name,
    ...(projected?.sources ?? []).map((source) => source.configMap?.name),
  ]) {
    if (each) into.configMaps.add(each);
  }
  if (volume.persistentVolumeClaim) into.claims.add(volume.persistentVolumeClaim.claimName);
  if (volume.ephemeral) into.claims.add(`${pod.metadata?.name}-${name}`);
}

/** The objects of its own namespace that a pod names, and that its node may therefore read. */
export function podReferences(pod: Pod): PodReferences {
  const found: PodReferences = { secrets: new Set(), configMaps: new Set(), claims: new Set() };
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  for (const container of [...containers, ...initContainers, ...(ephemeralContainers as Container[])]) {
    ofContainer(container, found);
  }
  for (const volume of pod.spec?.volumes ?? []) ofVolume(volume, pod, found);
  for (const { name } of pod.spec?.imagePullSecrets ?? []) if (name) found.secrets.add(name);
  return found;
}

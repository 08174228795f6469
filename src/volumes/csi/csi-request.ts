/** What of a PersistentVolume or an inline volume goes into calls on its driver: no effects. */
import type { AgentPod, CsiDriver, PersistentVolume } from '#lib/kube/types.ts';
import type { CsiAccessMode, CsiNodeCapability, CsiVolumeCapability } from './node-service.ts';

export interface SecretReference {
  namespace: string;
  name: string;
}

/** A CSI volume of one pod. */
export interface CsiVolume {
  pod: AgentPod;
  /** Its name in the pod. */
  volumeName: string;
  /** The PersistentVolume's name, or an inline volume's own: its folder's name. */
  name: string;
  driver: string;
  handle: string;
  mode: 'Persistent' | 'Ephemeral';
  isBlock: boolean;
  readOnly: boolean;
  fsType: string;
  attributes: Readonly<Record<string, string>>;
  mountOptions: readonly string[];
  accessModes: readonly string[];
  publishSecret: SecretReference | undefined;
  stageSecret: SecretReference | undefined;
  expandSecret: SecretReference | undefined;
}

type DriverSpec = CsiDriver['spec'] | undefined;

/** CSI's word for the first of the access modes, as upstream. */
export function accessModeOf(
  modes: readonly string[],
  capabilities: ReadonlySet<CsiNodeCapability>,
): CsiAccessMode {
  const precise = capabilities.has('SINGLE_NODE_MULTI_WRITER');
  switch (modes[0] ?? 'ReadWriteOnce') {
    case 'ReadOnlyMany':
      return 'MULTI_NODE_READER_ONLY';
    case 'ReadWriteMany':
      return 'MULTI_NODE_MULTI_WRITER';
    case 'ReadWriteOncePod':
      return precise ? 'SINGLE_NODE_SINGLE_WRITER' : 'SINGLE_NODE_WRITER';
    default:
      return precise ? 'SINGLE_NODE_MULTI_WRITER' : 'SINGLE_NODE_WRITER';
  }
}

export function capabilityOf(
  volume: CsiVolume,
  capabilities: ReadonlySet<CsiNodeCapability>,
): CsiVolumeCapability {
  const accessMode = { mode: accessModeOf(volume.accessModes, capabilities) };
  if (volume.isBlock) return { accessMode, block: {} };
  const group = volume.pod.spec.securityContext?.fsGroup;
  const byDriver = capabilities.has('VOLUME_MOUNT_GROUP') && group !== undefined;
  return {
    accessMode,
    mount: {
      fsType: volume.fsType,
      mountFlags: volume.mountOptions,
      ...(byDriver ? { volumeMountGroup: String(group) } : {}),
    },
  };
}

/** Whether the agent gives the volume's files to the pod's fsGroup. */
export function needsFsGroup(
  volume: CsiVolume,
  spec: DriverSpec,
  capabilities: ReadonlySet<CsiNodeCapability>,
): boolean {
  const policy = spec?.fsGroupPolicy ?? 'ReadWriteOnceWithFSType';
  if (volume.isBlock || volume.readOnly || policy === 'None' || capabilities.has('VOLUME_MOUNT_GROUP'))
    return false;
  if (policy === 'File') return true;
  if (volume.fsType === '') return false;
  return (
    volume.mode === 'Ephemeral' ||
    volume.accessModes.some((mode) => mode === 'ReadWriteOnce' || mode === 'ReadWriteOncePod')
  );
}

/** What the driver is told of the pod, where its CSIDriver object asks for it. */
export function podInfo({ pod, mode }: CsiVolume, spec: DriverSpec): Record<string, string> {
  if (spec?.podInfoOnMount !== true) return {};
  const { name, namespace, uid } = pod.metadata;
  return {
    'csi.storage.k8s.io/pod.name': name,
    'csi.storage.k8s.io/pod.namespace': namespace,
    'csi.storage.k8s.io/pod.uid': uid,
    'csi.storage.k8s.io/serviceAccount.name': pod.spec.serviceAccountName ?? '',
    'csi.storage.k8s.io/ephemeral': String(mode === 'Ephemeral'),
  };
}

/** Why the driver's CSIDriver object doesn't allow volumes of this mode; undefined where it does. */
export function modeRefusal({ mode, driver }: CsiVolume, spec: DriverSpec): string | undefined {
  if (spec === undefined) {
    if (mode === 'Persistent') return undefined;
    return `volume mode "Ephemeral" not supported by driver ${driver} (no CSIDriver object)`;
  }
  const modes = spec.volumeLifecycleModes ?? ['Persistent'];
  if (modes.includes(mode)) return undefined;
  return `volume mode ${JSON.stringify(mode)} not supported by driver ${driver} (only supports ${JSON.stringify(modes)})`;
}

type CsiSource = NonNullable<NonNullable<PersistentVolume['spec']>['csi']>;

/** A reference of a PersistentVolume names both; others name nothing. */
export function secretOf(reference: CsiSource['nodePublishSecretRef']): SecretReference | undefined {
  const { namespace, name } = reference ?? {};
  return namespace && name ? { namespace, name } : undefined;
}

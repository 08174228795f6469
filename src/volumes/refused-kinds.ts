/** Kinds of volume that this agent doesn't serve, and what to do instead. */
import { VolumeError } from './errors.ts';
import type { VolumePlugin } from './plugin.ts';

/** The in-tree kinds of clouds and the CSI drivers that serve them since (https://kubernetes.io/docs/concepts/storage/volumes). */
const MIGRATED: Readonly<Record<string, string>> = {
  awsElasticBlockStore: 'ebs.csi.aws.com',
  gcePersistentDisk: 'pd.csi.storage.gke.io',
  azureDisk: 'disk.csi.azure.com',
  azureFile: 'file.csi.azure.com',
  cinder: 'cinder.csi.openstack.org',
  vsphereVolume: 'csi.vsphere.vmware.com',
  portworxVolume: 'pxd.portworx.com',
};

const REMOVED = [
  'cephfs',
  'rbd',
  'glusterfs',
  'flocker',
  'quobyte',
  'scaleIO',
  'storageos',
  'photonPersistentDisk',
];

const REFUSED: Readonly<Record<string, string>> = {
  gitRepo:
    'git-repo volume plugin has been disabled; clone in an init container into an emptyDir that the other containers mount',
  iscsi: 'kind iscsi is not supported: use a CSI driver for iSCSI',
  fc: 'kind fc is not supported: use the CSI driver of the storage',
  flexVolume: 'kind flexVolume is deprecated and not supported: use the CSI driver of the storage',
  ...Object.fromEntries(
    REMOVED.map((kind) => [
      kind,
      `no volume plugin matched: kind ${kind} was removed from Kubernetes; use the CSI driver of the storage`,
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(MIGRATED).map(([kind, driver]) => [
      kind,
      `kind ${kind} is served by the CSI driver ${driver} and not translated here: use a PersistentVolume with ` +
        `csi.driver ${driver}`,
    ]),
  ),
};

/** Why volumes of the kind are refused; undefined for kinds that aren't, or that nobody knows. */
export const refusalOf = (kind: string): string | undefined =>
  Object.hasOwn(REFUSED, kind) ? REFUSED[kind] : undefined;

/** A plugin a kind, so that each is refused with words of its own. */
export const refusedPlugins = (): VolumePlugin[] =>
  Object.entries(REFUSED).map(([kind, why]) => ({
    kind,
    directory: undefined,
    ownsContents: false,
    setUp: ({ volume }) => Promise.reject(new VolumeError(volume.name, why, { retryable: false })),
  }));

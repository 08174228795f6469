import type { Resource } from '#lib/kube/client.ts';
import { testResources } from '../resources.ts';

/** A kind that the fake serves. */
export interface Kind extends Resource {
  kind: string;
  /** Whether `status` is written through its own subresource only. */
  status: boolean;
  /** Whether `metadata.generation` counts changes of the spec. */
  generation: boolean;
  /** Whether an update may leave resourceVersion out. */
  unconditionalUpdate: boolean;
  /** Answered, not kept: reviews. */
  virtual: boolean;
}

type Traits = Partial<Pick<Kind, 'status' | 'generation' | 'unconditionalUpdate' | 'virtual'>>;

const kind = (resource: Resource, name: string, traits: Traits = {}): Kind => ({
  ...resource,
  kind: name,
  status: false,
  generation: false,
  unconditionalUpdate: true,
  virtual: false,
  ...traits,
});

const r = testResources;
const strict = { unconditionalUpdate: false };

export const kinds: readonly Kind[] = [
  kind(r.pods, 'Pod', { status: true, generation: true }),
  kind(r.nodes, 'Node', { status: true }),
  kind(r.services, 'Service', { status: true }),
  kind(r.configMaps, 'ConfigMap'),
  kind(r.secrets, 'Secret'),
  kind(r.serviceAccounts, 'ServiceAccount', strict),
  kind(r.events, 'Event'),
  kind(r.persistentVolumes, 'PersistentVolume', { status: true }),
  kind(r.persistentVolumeClaims, 'PersistentVolumeClaim', { status: true }),
  kind(r.namespaces, 'Namespace', { status: true }),
  kind(r.leases, 'Lease', strict),
  kind(r.csiNodes, 'CSINode', strict),
  kind(r.csiDrivers, 'CSIDriver', strict),
  kind(r.volumeAttachments, 'VolumeAttachment', { status: true, ...strict }),
  kind(r.storageClasses, 'StorageClass'),
  kind(r.runtimeClasses, 'RuntimeClass', strict),
  kind(r.priorityClasses, 'PriorityClass'),
  kind(r.endpointSlices, 'EndpointSlice', { generation: true }),
  kind(r.serviceCidrs, 'ServiceCIDR', { status: true }),
  kind(r.certificateSigningRequests, 'CertificateSigningRequest', { status: true }),
  kind(r.resourceSlices, 'ResourceSlice', { generation: true, ...strict }),
  kind(r.roles, 'Role'),
  kind(r.roleBindings, 'RoleBinding'),
  kind(r.clusterRoles, 'ClusterRole'),
  kind(r.clusterRoleBindings, 'ClusterRoleBinding'),
  kind(r.tokenReviews, 'TokenReview', { virtual: true }),
  kind(r.subjectAccessReviews, 'SubjectAccessReview', { virtual: true }),
];

export const apiVersionOf = (resource: Pick<Resource, 'group' | 'version'>): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;

const byName = new Map(kinds.map((each) => [`${each.group}/${each.plural}`, each]));

export const findKind = (group: string, plural: string): Kind | undefined => byName.get(`${group}/${plural}`);

export function kindOf(resource: Resource): Kind {
  const found = findKind(resource.group, resource.plural);
  if (found === undefined) throw new Error(`the fake does not serve ${resource.plural}`);
  return found;
}

/**
 * How lists of the kinds that a node writes merge under a strategic merge patch: the patchStrategy and patchMergeKey
 * tags of k8s.io/api/core/v1 (1.36) and meta/v1. A list that isn't here is replaced as a whole.
 */
export interface MergeRule {
  /** Lists of objects merge by this member; a list of plain values (no key) becomes the union. */
  list?: { key?: string };
  /** Rules of the members, of a list's items too. */
  fields?: MergeFields;
}

export type MergeFields = Readonly<Record<string, MergeRule>>;

const by = (key: string, fields?: MergeFields): MergeRule => ({
  list: { key },
  ...(fields === undefined ? {} : { fields }),
});
const union: MergeRule = { list: {} };

const metadata: MergeRule = { fields: { ownerReferences: by('uid'), finalizers: union } };

const container = by('name', {
  ports: by('containerPort'),
  env: by('name'),
  volumeMounts: by('mountPath'),
  volumeDevices: by('devicePath'),
});
const containerStatus: MergeRule = {
  fields: { volumeMounts: by('mountPath'), allocatedResourcesStatus: by('name') },
};
const conditions = by('type');

const kinds: Readonly<Record<string, MergeFields>> = {
  Pod: {
    spec: {
      fields: {
        volumes: by('name'),
        initContainers: container,
        containers: container,
        ephemeralContainers: container,
        imagePullSecrets: by('name'),
        hostAliases: by('ip'),
        topologySpreadConstraints: by('topologyKey'),
        schedulingGates: by('name'),
        resourceClaims: by('name'),
      },
    },
    status: {
      fields: {
        conditions,
        hostIPs: by('ip'),
        podIPs: by('ip'),
        resourceClaimStatuses: by('name'),
        containerStatuses: containerStatus,
        initContainerStatuses: containerStatus,
        ephemeralContainerStatuses: containerStatus,
      },
    },
  },
  Node: {
    spec: { fields: { podCIDRs: union } },
    status: { fields: { conditions, addresses: by('type') } },
  },
  Service: { spec: { fields: { ports: by('port') } }, status: { fields: { conditions } } },
  ServiceAccount: { secrets: by('name'), imagePullSecrets: by('name') },
  PersistentVolumeClaim: { status: { fields: { conditions } } },
  Namespace: { status: { fields: { conditions } } },
};

export const mergeRules = (kind: string): MergeFields => ({ metadata, ...kinds[kind] });

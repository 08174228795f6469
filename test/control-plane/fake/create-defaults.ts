/** What the API server fills into objects of other kinds than pods on create, as far as a node sees it. */
import { timeText } from './object.ts';
import type { JsonMap, KubeObject } from './object.ts';
import type { Store } from './store.ts';
import { testResources } from '../resources.ts';
import { invalid } from './status-error.ts';
import type { User } from './user.ts';

export interface CreateContext {
  store: Store;
  user: User;
  now: number;
}

const serviceNetwork = '10.0.0.';

function freeAddress(store: Store): string {
  const taken = new Set(store.list(testResources.services).map((each) => each.spec?.['clusterIP']));
  for (let last = 1; last < 255; last += 1) {
    if (!taken.has(`${serviceNetwork}${last}`)) return `${serviceNetwork}${last}`;
  }
  throw new Error('no address of the service network is free');
}

function freePort(taken: Set<unknown>): number {
  for (let port = 30_000; ; port += 1) {
    if (taken.has(port)) continue;
    taken.add(port);
    return port;
  }
}

function service(object: KubeObject, { store }: CreateContext): void {
  const spec = (object.spec ??= {});
  spec['type'] ??= 'ClusterIP';
  spec['sessionAffinity'] ??= 'None';
  const ports = (spec['ports'] ?? []) as JsonMap[];
  const taken = new Set(
    store
      .list(testResources.services)
      .flatMap((each) => ((each.spec?.['ports'] ?? []) as JsonMap[]).map((port) => port['nodePort'])),
  );
  for (const port of ports) {
    port['protocol'] ??= 'TCP';
    port['targetPort'] ??= port['port']!;
    if (spec['type'] !== 'ClusterIP' && spec['type'] !== 'ExternalName') port['nodePort'] ??= freePort(taken);
  }
  object.status = { loadBalancer: {} };
  if (spec['type'] === 'ExternalName') return;
  spec['clusterIP'] ??= freeAddress(store);
  spec['clusterIPs'] ??= [spec['clusterIP']];
  spec['ipFamilies'] ??= ['IPv4'];
  spec['ipFamilyPolicy'] ??= 'SingleStack';
  spec['internalTrafficPolicy'] ??= 'Cluster';
}

function secret(object: KubeObject): void {
  object['type'] ??= 'Opaque';
  const plain = object['stringData'] as Record<string, string> | undefined;
  if (plain === undefined) return;
  const encoded = Object.entries(plain).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  object['data'] = { ...(object['data'] as JsonMap | undefined), ...Object.fromEntries(encoded) };
  delete object['stringData'];
}

/** The admission TaintNodesByCondition. */
function node(object: KubeObject): void {
  const spec = (object.spec ??= {});
  const taints = (spec['taints'] ?? []) as JsonMap[];
  const key = 'node.kubernetes.io/not-ready';
  if (taints.some((taint) => taint['key'] === key && taint['effect'] === 'NoSchedule')) return;
  spec['taints'] = [...taints, { key, effect: 'NoSchedule' }];
}

function signingRequest(object: KubeObject, { user }: CreateContext): void {
  const spec = (object.spec ??= {});
  for (const field of ['request', 'signerName'] as const) {
    if (!spec[field])
      throw invalid('CertificateSigningRequest', object.metadata.name, `spec.${field}: Required value`);
  }
  const seconds = spec['expirationSeconds'];
  if (seconds !== undefined && Number(seconds) < 600) {
    const why = `spec.expirationSeconds: Invalid value: ${Number(seconds)}: may not specify a duration less than 600 seconds (10 minutes)`;
    throw invalid('CertificateSigningRequest', object.metadata.name, why);
  }
  spec['username'] = user.name;
  spec['groups'] = [...user.groups];
  if (user.uid !== undefined) spec['uid'] = user.uid;
  object.status = {};
}

function namespace(object: KubeObject): void {
  object.metadata.labels = {
    ...object.metadata.labels,
    'kubernetes.io/metadata.name': object.metadata.name,
  };
  object.spec = { ...object.spec, finalizers: ['kubernetes'] };
  object.status = { phase: 'Active' };
}

const volume = (object: KubeObject): void => {
  object.spec = { volumeMode: 'Filesystem', ...object.spec };
  object.status = { phase: 'Pending' };
};

const byKind: Readonly<Record<string, (object: KubeObject, context: CreateContext) => void>> = {
  services: service,
  secrets: secret,
  nodes: node,
  certificatesigningrequests: signingRequest,
  namespaces: namespace,
  persistentvolumes: volume,
  persistentvolumeclaims: volume,
};

/** Changes the object; `store` is only read. */
export function applyCreateDefaults(object: KubeObject, plural: string, context: CreateContext): void {
  byKind[plural]?.(object, context);
}

/** What kube-controller-manager puts into a new namespace. */
export function namespaceContents(name: string, ca: string, now: number): [string, KubeObject][] {
  const metadata = { namespace: name, creationTimestamp: timeText(now) };
  return [
    [
      'serviceaccounts',
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metadata, name: 'default' } },
    ],
    [
      'configmaps',
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { ...metadata, name: 'kube-root-ca.crt' },
        data: { 'ca.crt': ca },
      },
    ],
  ];
}

/** What a node may write: the admission plugin NodeRestriction (plugin/pkg/admission/noderestriction of 1.36). */
import { canonicalJson } from '#lib/kube/canonical.ts';
import { testResources } from '../../resources.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceRequest } from '../request.ts';
import { forbidden, notFound } from '../status-error.ts';
import type { Store } from '../store.ts';
import { nodeCsrTrouble, nodeTokenTrouble } from './node-credentials.ts';
import { podReferences } from './pod-references.ts';

export interface NodeWrite {
  node: string;
  request: ResourceRequest;
  store: Store;
  /** The object to be written, or the body of a subresource's create. */
  next?: KubeObject;
  old?: KubeObject;
}

const ownLabels = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);

const within = (namespace: string, domain: string): boolean =>
  namespace === domain || namespace.endsWith(`.${domain}`);

/** Labels that a node may neither set nor change on its own Node. */
export function isForbiddenLabel(label: string): boolean {
  const slash = label.indexOf('/');
  const namespace = slash < 0 ? '' : label.slice(0, slash);
  if (within(namespace, 'node-restriction.kubernetes.io')) return true;
  const ofKubernetes = within(namespace, 'kubernetes.io') || within(namespace, 'k8s.io');
  const ofKubelet =
    ownLabels.has(label) ||
    within(namespace, 'kubelet.kubernetes.io') ||
    within(namespace, 'node.kubernetes.io');
  return ofKubernetes && !ofKubelet;
}

function changedLabels(next: KubeObject | undefined, old: KubeObject | undefined): string[] {
  const [a, b] = [next?.metadata.labels ?? {}, old?.metadata.labels ?? {}];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]);
}

const equal = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

function mirrorPodTrouble({ node, store, next }: NodeWrite): string | undefined {
  const metadata = next?.metadata;
  if (metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined) {
    return `pod does not have "kubernetes.io/config.mirror" annotation, node "${node}" can only create mirror pods`;
  }
  if (next?.spec?.['nodeName'] !== node) {
    return `node "${node}" can only create pods with spec.nodeName set to itself`;
  }
  const [owner, ...others] = metadata.ownerReferences ?? [];
  if (owner === undefined) return `node "${node}" can only create pods with an owner reference set to itself`;
  if (others.length > 0) {
    return `node "${node}" can only create pods with a single owner reference set to itself`;
  }
  if (owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    return `node "${node}" can only create pods with an owner reference set to itself`;
  }
  if (owner.controller !== true) {
    return `node "${node}" can only create pods with a controller owner reference set to itself`;
  }
  if (owner.blockOwnerDeletion === true) {
    return `node "${node}" must not set blockOwnerDeletion on an owner reference`;
  }
  const known = store.get(testResources.nodes, undefined, node);
  if (known === undefined) throw notFound(testResources.nodes, node);
  if (owner.uid !== known.metadata.uid) {
    return `node ${node} UID mismatch: expected ${owner.uid} got ${known.metadata.uid}`;
  }
  const references = podReferences(next as never);
  const names = [...references.secrets, ...references.configMaps, ...references.claims];
  if (next.spec['serviceAccountName']) names.push('serviceaccounts');
  return names.length === 0 ? undefined : `node "${node}" can not create pods that reference ${names[0]}`;
}

function podTrouble(write: NodeWrite): string | undefined {
  const { node, request, store, next, old } = write;
  const { verb, subresource, namespace, name = '' } = request;
  const existing = old ?? store.get(testResources.pods, namespace, name);
  const isOwn = existing?.spec?.['nodeName'] === node;
  if (subresource === 'status') {
    if (!isOwn) return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`;
    const relabelled = changedLabels(next, existing).length > 0;
    return relabelled ? `node "${node}" cannot update labels through pod status` : undefined;
  }
  if (subresource === 'eviction') {
    if (existing === undefined) throw notFound(testResources.pods, name);
    return isOwn ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`;
  }
  if (verb === 'create') return mirrorPodTrouble(write);
  if (existing === undefined) throw notFound(testResources.pods, name);
  if (verb === 'delete') {
    return isOwn ? undefined : `node "${node}" can only delete pods with spec.nodeName set to itself`;
  }
  return `unexpected operation, node "${node}" can only create and delete mirror pods`;
}

function nodeTrouble({ node, request, next, old }: NodeWrite): string | undefined {
  const name = request.name ?? next?.metadata.name;
  if (name !== node) return `node "${node}" is not allowed to modify node "${name}"`;
  const labels = changedLabels(next, old).filter(isForbiddenLabel);
  if (old === undefined) {
    if (labels.length === 0) return undefined;
    return `node "${node}" is not allowed to set the following labels: ${labels.join(', ')}`;
  }
  if (!equal(next?.spec?.['taints'], old.spec?.['taints'])) {
    return `node "${node}" is not allowed to modify taints`;
  }
  if (!equal(next?.metadata.ownerReferences, old.metadata.ownerReferences)) {
    return `node "${node}" is not allowed to modify ownerReferences`;
  }
  return labels.length === 0 ? undefined : `is not allowed to modify labels: ${labels.join(', ')}`;
}

function trouble(write: NodeWrite): string | undefined {
  const { node, request, next } = write;
  const { kind, verb, subresource } = request;
  switch (kind.plural) {
    case 'pods':
      return podTrouble(write);
    case 'nodes':
      return nodeTrouble(write);
    case 'serviceaccounts':
      return subresource === 'token' ? nodeTokenTrouble(write) : undefined;
    case 'certificatesigningrequests':
      return verb === 'create' ? nodeCsrTrouble(node, next) : undefined;
    case 'leases':
    case 'csinodes': {
      const name = next?.metadata.name ?? request.name;
      return verb === 'create' && name !== node
        ? `can only access ${kind.kind} with the same name as the requesting node`
        : undefined;
    }
    default:
      return undefined;
  }
}

/** Throws 403, or 404 where what must be looked up is gone. */
export function restrictNode(write: NodeWrite): void {
  const why = trouble(write);
  if (why !== undefined) throw forbidden(write.request.kind, write.request.name ?? '', why);
}

/** What a node may ask for: plugin/pkg/auth/authorizer/node and bootstrappolicy.NodeRules of 1.36. */
import type { Pod } from '#lib/kube/types.ts';
import { testResources } from '../../resources.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceRequest, Verb } from '../request.ts';
import { demandedField } from '../selectors.ts';
import type { Store } from '../store.ts';
import { podReferences } from './pod-references.ts';

const read: readonly Verb[] = ['get', 'list', 'watch'];

/** Kinds that all nodes may use alike. */
const uniform: Readonly<Record<string, readonly Verb[]>> = {
  tokenreviews: ['create'],
  subjectaccessreviews: ['create'],
  services: read,
  events: ['create', 'update', 'patch'],
  certificatesigningrequests: ['create', ...read],
  csidrivers: read,
  runtimeclasses: read,
};

const mirrorAnnotation = 'kubernetes.io/config.mirror';

function podsOn(store: Store, node: string): KubeObject[] {
  return store.list(testResources.pods).filter((pod) => pod.spec?.['nodeName'] === node);
}

/** Whether a pod on the node (no mirror pod) names the object, or a claim of such a pod leads to it. */
function isRelated(store: Store, node: string, { kind, namespace, name = '' }: ResourceRequest): boolean {
  if (kind.plural === 'volumeattachments') {
    return store.get(kind, undefined, name)?.spec?.['nodeName'] === node;
  }
  const pods = podsOn(store, node);
  if (kind.plural === 'pods') {
    return pods.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  }
  const naming = pods.filter((pod) => pod.metadata.annotations?.[mirrorAnnotation] === undefined);
  if (kind.plural === 'persistentvolumes') {
    const claim = store.get(kind, undefined, name)?.spec?.['claimRef'] as
      | { namespace?: string; name?: string }
      | undefined;
    return naming.some(
      (pod) =>
        pod.metadata.namespace === claim?.namespace &&
        podReferences(pod as unknown as Pod).claims.has(claim?.name ?? ''),
    );
  }
  return naming.some((pod) => {
    if (pod.metadata.namespace !== namespace) return false;
    const references = podReferences(pod as unknown as Pod);
    if (kind.plural === 'secrets') return references.secrets.has(name);
    if (kind.plural === 'configmaps') return references.configMaps.has(name);
    if (kind.plural === 'persistentvolumeclaims') return references.claims.has(name);
    return pod.spec?.['serviceAccountName'] === name;
  });
}

/** Undefined where it may; else why not. */
export function nodeMayNot(store: Store, node: string, request: ResourceRequest): string | undefined {
  const { kind, verb, name, namespace, subresource } = request;
  const unrelated = `no relationship found between node '${node}' and this object`;
  const one = (): string | undefined => {
    if (name === undefined) return 'No Object name found';
    return isRelated(store, node, request) ? undefined : unrelated;
  };
  switch (kind.plural) {
    case 'secrets':
    case 'configmaps':
      if (!read.includes(verb)) return 'can only read resources of this type';
      if (subresource !== undefined) return 'cannot read subresource';
      return namespace === undefined ? 'can only read namespaced object of this type' : one();
    case 'persistentvolumeclaims':
      if (subresource === 'status') {
        return verb === 'update' || verb === 'patch' ? one() : 'can only get/update/patch this type';
      }
      return verb === 'get' ? one() : 'can only get individual resources of this type';
    case 'persistentvolumes':
    case 'volumeattachments':
      return verb === 'get' ? one() : 'can only get individual resources of this type';
    case 'serviceaccounts':
      if (verb === 'get' && subresource === undefined) return one();
      if (verb !== 'create' || name === undefined || subresource !== 'token') {
        return 'can only create tokens for individual service accounts';
      }
      return one();
    case 'leases':
      if (verb === 'list' || verb === 'watch' || verb === 'deletecollection') {
        return 'can only get, create, update, patch, or delete a node lease';
      }
      if (namespace !== 'kube-node-lease') {
        return 'can only access leases in the "kube-node-lease" system namespace';
      }
      if (verb === 'create' || name === node) return undefined;
      return 'can only access node lease with the same name as the requesting node';
    case 'csinodes':
      if (verb === 'list' || verb === 'watch' || verb === 'deletecollection') {
        return 'can only get, create, update, patch, or delete a CSINode';
      }
      if (verb === 'create' || name === node) return undefined;
      return 'can only access CSINode with the same name as the requesting node';
    case 'nodes':
      if (subresource === undefined && read.includes(verb)) {
        if (name === node) return undefined;
        const whose = name === undefined ? 'all nodes' : `'${name}'`;
        return `node '${node}' cannot read ${whose}, only its own Node object`;
      }
      if (verb === 'update' || verb === 'patch') {
        return subresource === undefined || subresource === 'status' ? undefined : 'no such permission';
      }
      return verb === 'create' && subresource === undefined ? undefined : 'no such permission';
    case 'resourceslices':
      // Collections only by their node; single ones are not told apart here, as no plugin of a test publishes any.
      if (
        verb === 'create' ||
        demandedField(request.query.get('fieldSelector') ?? '', 'spec.nodeName') === node
      ) {
        return undefined;
      }
      return 'can only list/watch/deletecollection resourceslices with nodeName field selector';
    case 'pods':
      return mayNotPods(store, node, request);
    default: {
      const allowed = subresource === undefined ? uniform[kind.plural] : undefined;
      return allowed?.includes(verb) === true ? undefined : 'no such permission';
    }
  }
}

function mayNotPods(store: Store, node: string, request: ResourceRequest): string | undefined {
  const { verb, name, subresource, query } = request;
  if (subresource === 'status')
    return verb === 'update' || verb === 'patch' ? undefined : 'no such permission';
  if (subresource === 'eviction') return verb === 'create' ? undefined : 'no such permission';
  if (subresource !== undefined) return 'no such permission';
  if (verb === 'create' || verb === 'delete') return undefined;
  if (verb === 'list' || verb === 'watch') {
    if (demandedField(query.get('fieldSelector') ?? undefined, 'spec.nodeName') === node) return undefined;
    if (name !== undefined && isRelated(store, node, request)) return undefined;
    return 'can only list/watch pods with spec.nodeName field selector';
  }
  if (verb !== 'get') return 'no such permission';
  return isRelated(store, node, request)
    ? undefined
    : `no relationship found between node '${node}' and this object`;
}

/** For whom a node may ask for credentials: parts of the admission plugin NodeRestriction of 1.36. */
import type { Pod, Volume } from '#lib/kube/types.ts';
import { readRequest } from '../../pki.ts';
import { testResources } from '../../resources.ts';
import { textOf } from '../object.ts';
import type { JsonMap, KubeObject } from '../object.ts';
import { notFound } from '../status-error.ts';
import type { Store } from '../store.ts';
import type { NodeWrite } from './node-restriction.ts';

function driverOf(store: Store, pod: Pod, volume: Volume): string | undefined {
  if (volume.csi) return volume.csi.driver;
  const claimName =
    volume.persistentVolumeClaim?.claimName ??
    (volume.ephemeral ? `${pod.metadata?.name}-${volume.name}` : undefined);
  if (claimName === undefined) return undefined;
  const claim = store.get(testResources.persistentVolumeClaims, pod.metadata?.namespace, claimName);
  const name = textOf(claim?.spec?.['volumeName']);
  const csi = store.get(testResources.persistentVolumes, undefined, name)?.spec?.['csi'] as
    | JsonMap
    | undefined;
  return csi === undefined ? undefined : textOf(csi['driver']);
}

/** The audiences of tokens that a pod's volumes need; the API server's own is empty. */
function namedAudiences(store: Store, pod: Pod): Set<string> {
  const found = new Set<string>();
  for (const volume of pod.spec?.volumes ?? []) {
    for (const { serviceAccountToken } of volume.projected?.sources ?? []) {
      if (serviceAccountToken) found.add(serviceAccountToken.audience ?? '');
    }
    const driver = driverOf(store, pod, volume);
    if (driver === undefined) continue;
    const known = store.get(testResources.csiDrivers, undefined, driver);
    for (const { audience } of (known?.spec?.['tokenRequests'] ?? []) as JsonMap[])
      found.add(textOf(audience));
  }
  return found;
}

export function nodeTokenTrouble({ node, request, store, next }: NodeWrite): string | undefined {
  const ref = next?.spec?.['boundObjectRef'] as JsonMap | undefined;
  if (ref?.['apiVersion'] !== 'v1' || ref['kind'] !== 'Pod' || !ref['name']) {
    return 'node requested token not bound to a pod';
  }
  if (!ref['uid']) return 'node requested token with a pod binding without a uid';
  const pod = store.get(testResources.pods, request.namespace, textOf(ref['name']));
  if (pod === undefined) throw notFound(testResources.pods, textOf(ref['name']));
  if (ref['uid'] !== pod.metadata.uid) {
    return `the UID in the bound object reference (${textOf(ref['uid'])}) does not match the UID in record. The object might have been deleted and then recreated`;
  }
  if (pod.spec?.['nodeName'] !== node)
    return 'node requested token bound to a pod scheduled on a different node';
  const audiences = (next?.spec?.['audiences'] ?? []) as string[];
  if (audiences.length > 1) return 'node may only request 0 or 1 audiences';
  const audience = audiences[0] ?? '';
  return namedAudiences(store, pod as unknown as Pod).has(audience)
    ? undefined
    : `audience "${audience}" not found in pod spec volume, system:node:${node} is not authorized to request tokens for this audience`;
}

/** A node asks for certificates of its own name only. */
export function nodeCsrTrouble(node: string, csr: KubeObject | undefined): string | undefined {
  const signer = textOf(csr?.spec?.['signerName']);
  const concerned = ['kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving'];
  if (!concerned.includes(signer)) return undefined;
  const { commonName } = readRequest(Buffer.from(textOf(csr?.spec?.['request']), 'base64').toString());
  return commonName === `system:node:${node}`
    ? undefined
    : `can only create a node CSR with CN=system:node:${node}`;
}

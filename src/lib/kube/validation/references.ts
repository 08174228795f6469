/**
 * What a static pod may not have, because it names objects that only an API server holds; where ConfigMaps and Secrets
 * come from manifests, too, it may name those. Rules: HasAPIObjectReference
 * in k8s.io/kubernetes/pkg/api/pod of 1.36, but for imagePullSecrets, which the node reads from its own files.
 */
import type { Container, PodSpec, Volume } from '../types.ts';
import type { Field } from './field.ts';

type Projection = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

const VOLUME_KINDS: readonly (readonly [keyof Volume, string])[] = [
  ['configMap', 'configmaps (via configmap volumes)'],
  ['secret', 'secrets (via secret volumes)'],
  ['csi', 'csidrivers (via CSI volumes)'],
  ['glusterfs', 'endpoints (via glusterFS volumes)'],
  ['persistentVolumeClaim', 'persistentvolumeclaims'],
  ['ephemeral', 'persistentvolumeclaims (via ephemeral volumes)'],
  ['azureFile', 'secrets (via azureFile volumes)'],
];

const PROJECTIONS: readonly (readonly [keyof Projection, string])[] = [
  ['configMap', 'configmaps (via projected volumes)'],
  ['secret', 'secrets (via projected volumes)'],
  ['serviceAccountToken', 'serviceaccounts (via projected volumes)'],
  ['clusterTrustBundle', 'clustertrustbundles'],
  ['podCertificate', 'podcertificates'],
];

/** What manifests can hold as well. */
const LOCAL = new Set<string>(['configMap', 'secret']);

const SECRET_REF_KINDS = ['cephfs', 'cinder', 'flexVolume', 'rbd', 'scaleIO', 'iscsi', 'storageos'] as const;

const refuse = (field: Field, value: unknown, what: string): void =>
  field.error(value, `static pods may not reference ${what}`);

function refuseInContainer(container: Container, field: Field): void {
  for (const [i, { valueFrom }] of (container.env ?? []).entries()) {
    const at = field.at('env', i, 'valueFrom');
    if (valueFrom?.secretKeyRef) refuse(at.at('secretKeyRef'), valueFrom.secretKeyRef.name, 'secrets');
    if (valueFrom?.configMapKeyRef)
      refuse(at.at('configMapKeyRef'), valueFrom.configMapKeyRef.name, 'configmaps');
  }
  for (const [i, { secretRef, configMapRef }] of (container.envFrom ?? []).entries()) {
    const at = field.at('envFrom', i);
    if (secretRef) refuse(at.at('secretRef'), secretRef.name, 'secrets');
    if (configMapRef) refuse(at.at('configMapRef'), configMapRef.name, 'configmaps');
  }
}

/** `field` is the spec's; `hasObjects`: whether this node has ConfigMaps and Secrets without an API server. */
export function refuseApiReferences(spec: PodSpec, field: Field, hasObjects = false): void {
  if (spec.serviceAccountName)
    refuse(field.at('serviceAccountName'), spec.serviceAccountName, 'serviceaccounts');
  if ((spec.resourceClaims ?? []).length > 0) refuse(field.at('resourceClaims'), undefined, 'resourceclaims');
  for (const key of hasObjects ? [] : (['containers', 'initContainers'] as const)) {
    for (const [i, container] of (spec[key] ?? []).entries()) refuseInContainer(container, field.at(key, i));
  }
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    const at = field.at('volumes', i);
    for (const [kind, what] of VOLUME_KINDS)
      if (volume[kind] !== undefined && !(hasObjects && LOCAL.has(kind)))
        refuse(at.at(kind), undefined, what);
    for (const kind of SECRET_REF_KINDS) {
      const ref = volume[kind]?.secretRef;
      if (ref?.name) refuse(at.at(kind, 'secretRef'), ref.name, 'secrets');
    }
    for (const [j, source] of (volume.projected?.sources ?? []).entries()) {
      for (const [kind, what] of PROJECTIONS) {
        if (source[kind] !== undefined && !(hasObjects && LOCAL.has(kind)))
          refuse(at.at('projected', 'sources', j, kind), undefined, what);
      }
    }
  }
}

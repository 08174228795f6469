import { configKey, dns1123Label, dns1123Subdomain, envVarName, qualifiedName } from '../names.ts';
import type { Container, EnvVar, Volume } from '../types.ts';
import type { Field } from './field.ts';
import { validateNoBacksteps } from './paths.ts';

type FieldRef = NonNullable<NonNullable<EnvVar['valueFrom']>['fieldRef']>;
type ResourceFieldRef = NonNullable<NonNullable<EnvVar['valueFrom']>['resourceFieldRef']>;

const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
export const VOLUME_FIELDS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const RESOURCES = ['cpu', 'memory', 'ephemeral-storage'].flatMap((name) => [
  `limits.${name}`,
  `requests.${name}`,
]);
const SIZE_DIVISORS = ['1', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit) =>
  unit === '1' ? unit : `1${unit}`,
);

/** A field of the pod that the downward API may show. */
export function validateFieldRef(ref: FieldRef, allowed: readonly string[], field: Field): void {
  const path = ref.fieldPath ?? '';
  const at = field.at('fieldPath');
  if (ref.apiVersion !== 'v1') field.at('apiVersion').oneOf(ref.apiVersion, ['v1']);
  if (path === '') return at.required();
  const subscript = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/.exec(path);
  if (subscript !== null) {
    const [, of, key = ''] = subscript;
    return at.check(path, qualifiedName(of === 'metadata.annotations' ? key.toLowerCase() : key));
  }
  if (!allowed.includes(path)) {
    const more = "metadata.labels['KEY'] or metadata.annotations['KEY']";
    at.error(path, `must be one of ${allowed.join(', ')}, ${more}`);
  }
}

export function validateResourceFieldRef(ref: ResourceFieldRef, inVolume: boolean, field: Field): void {
  const resource = ref.resource ?? '';
  const hugePages = /^(limits|requests)\.hugepages-/.test(resource);
  if (inVolume && !ref.containerName) field.at('containerName').required();
  if (resource === '') field.at('resource').required();
  else if (!hugePages) field.at('resource').oneOf(resource, RESOURCES);
  const divisor = ref.divisor ?? '0';
  if (divisor === '0') return;
  field.at('divisor').oneOf(divisor, resource.endsWith('.cpu') ? ['1m', '1'] : SIZE_DIVISORS);
}

function validateValueFrom(variable: EnvVar, volumes: readonly Volume[], field: Field): void {
  const from = variable.valueFrom;
  if (from === undefined) return;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = from;
  const sources = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(
    (each) => each,
  );
  if (sources.length !== 1) {
    field.error(
      undefined,
      'must have exactly one of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef',
    );
  } else if (variable.value) field.error(undefined, 'must not be set beside value');
  if (fieldRef !== undefined) validateFieldRef(fieldRef, ENV_FIELDS, field.at('fieldRef'));
  if (resourceFieldRef !== undefined)
    validateResourceFieldRef(resourceFieldRef, false, field.at('resourceFieldRef'));
  for (const [name, ref] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (ref === undefined) continue;
    field.at(name, 'name').checkName(ref.name, dns1123Subdomain);
    field.at(name, 'key').checkName(ref.key, configKey);
  }
  if (fileKeyRef === undefined) return;
  const at = field.at('fileKeyRef');
  at.at('key').checkName(fileKeyRef.key, envVarName);
  at.at('path').checkName(fileKeyRef.path, validateNoBacksteps);
  at.at('volumeName').checkName(fileKeyRef.volumeName, dns1123Label);
  const volume = volumes.find((each) => each.name === fileKeyRef.volumeName);
  if (volume === undefined) {
    at.at('volumeName').error(fileKeyRef.volumeName, 'the pod has no volume of this name', [
      'spec',
      'volumes',
    ]);
  } else if (volume.emptyDir === undefined) {
    at.at('volumeName').error(fileKeyRef.volumeName, 'must be a volume of kind emptyDir', [
      'spec',
      'volumes',
    ]);
  }
}

export function validateEnv(container: Container, volumes: readonly Volume[], field: Field): void {
  for (const [i, variable] of (container.env ?? []).entries()) {
    const at = field.at('env', i);
    at.at('name').checkName(variable.name, envVarName);
    validateValueFrom(variable, volumes, at.at('valueFrom'));
  }
  for (const [i, source] of (container.envFrom ?? []).entries()) {
    const at = field.at('envFrom', i);
    if (source.prefix) at.at('prefix').check(source.prefix, envVarName(source.prefix));
    const { configMapRef, secretRef } = source;
    if ((configMapRef === undefined) === (secretRef === undefined)) {
      at.error(undefined, 'must have exactly one of configMapRef, secretRef');
    }
    for (const [name, ref] of Object.entries({ configMapRef, secretRef })) {
      if (ref !== undefined) at.at(name, 'name').checkName(ref.name, dns1123Subdomain);
    }
  }
}

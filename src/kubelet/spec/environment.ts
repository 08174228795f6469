import { containerNamed, defaultLimits, resourceField } from '#lib/kube/downward.ts';
import {
  MissingReferenceError,
  type ReferencedObjects,
  requireObject,
  secretValue,
} from '#lib/kube/referenced.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { AgentPod, ConfigMap, Container, EnvVar } from '#lib/kube/types.ts';
import { ContainerConfigError } from './config-error.ts';
import { envFileValue } from './env-file.ts';
import { expand } from './expansion.ts';
import { podField } from './pod-field.ts';

/** What variables can be taken from besides literals and objects. */
export interface EnvironmentContext {
  pod: AgentPod;
  podIps: readonly string[];
  hostIps: readonly string[];
}

export interface EnvironmentSources extends EnvironmentContext {
  objects: ReferencedObjects;
  /** The variables that name services. */
  services: ReadonlyMap<string, string>;
  /** What pods may use of this node. */
  allocatable(): ResourceAmounts;
  /** A file's text, by its volume's name and its path in the volume. */
  readFile(volume: string, path: string): Promise<string>;
}

type ValueFrom = NonNullable<EnvVar['valueFrom']>;

/**
 * A container's variables: those of `envFrom`, over them those of `env` in the order of the spec, and services' where
 * neither has one of the name. A literal is expanded with what stands before it and with services' variables (rules:
 * makeEnvironmentVariables in pkg/kubelet of 1.36). Rejects with a MissingReferenceError for what may yet come, and with
 * a ContainerConfigError for what has to be mended.
 */
export async function environment(
  container: Container,
  sources: EnvironmentSources,
): Promise<Map<string, string>> {
  const variables = new Map<string, string>();
  for (const [key, value] of objectsVariables(container, sources)) variables.set(key, value);
  const known = { get: (name: string) => variables.get(name) ?? sources.services.get(name) };
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (value || valueFrom === undefined) variables.set(name, expand(value ?? '', known));
    else {
      const found = await valueOf(name, valueFrom, container, sources);
      if (found !== undefined) variables.set(name, found);
    }
  }
  for (const [name, value] of sources.services) if (!variables.has(name)) variables.set(name, value);
  return variables;
}

/** Every key of the objects that `envFrom` names, whatever it looks like. */
function* objectsVariables(
  { envFrom }: Container,
  { objects, pod }: EnvironmentSources,
): Generator<[string, string]> {
  const { namespace } = pod.metadata;
  for (const { prefix = '', configMapRef, secretRef } of envFrom ?? []) {
    if (configMapRef !== undefined) {
      const { name = '', optional } = configMapRef;
      const found = requireObject(objects.configMap(namespace, name), 'configmap', name, optional === true);
      for (const [key, value] of Object.entries(found?.data ?? {})) yield [prefix + key, value];
    } else if (secretRef !== undefined) {
      const { name = '', optional } = secretRef;
      const found = requireObject(objects.secret(namespace, name), 'secret', name, optional === true);
      for (const [key, base64] of Object.entries(found?.data ?? {}))
        yield [prefix + key, Buffer.from(base64, 'base64').toString()];
    }
  }
}

/** Undefined for an optional variable that has no value. */
async function valueOf(
  name: string,
  from: ValueFrom,
  container: Container,
  sources: EnvironmentSources,
): Promise<string | undefined> {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = from;
  if (fieldRef !== undefined) return podField(fieldRef.fieldPath, sources);
  if (resourceFieldRef !== undefined) return resourceValue(resourceFieldRef, container, sources);
  if (configMapKeyRef !== undefined) return configMapKey(configMapKeyRef, sources);
  if (secretKeyRef !== undefined) return secretKey(secretKeyRef, sources);
  if (fileKeyRef !== undefined) return fileKey(fileKeyRef, sources);
  const kind = Object.keys(from)[0] ?? 'valueFrom';
  throw new ContainerConfigError(
    `env ${name}: ${kind} is not supported; use fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef or fileKeyRef`,
  );
}

function resourceValue(
  ref: NonNullable<ValueFrom['resourceFieldRef']>,
  container: Container,
  sources: EnvironmentSources,
): string {
  const { pod } = sources;
  const target = ref.containerName ? containerNamed(pod, ref.containerName) : container;
  // As upstream: another container's missing limit is filled in only if that isn't an init container.
  const fillsIn = !ref.containerName || pod.spec.containers.includes(target);
  return resourceField(target, ref, fillsIn ? defaultLimits(pod, sources.allocatable()) : new Map());
}

function configMapKey(
  { name = '', key, optional = false }: NonNullable<ValueFrom['configMapKeyRef']>,
  { objects, pod }: EnvironmentSources,
): string | undefined {
  const { namespace } = pod.metadata;
  const object = requireObject(objects.configMap(namespace, name), 'configmap', name, optional);
  const value = object === undefined ? undefined : own(object.data, key);
  if (value === undefined && !optional)
    throw new MissingReferenceError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  return value;
}

const own = (data: ConfigMap['data'], key: string): string | undefined =>
  data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;

function secretKey(
  { name = '', key, optional = false }: NonNullable<ValueFrom['secretKeyRef']>,
  { objects, pod }: EnvironmentSources,
): string | undefined {
  const { namespace } = pod.metadata;
  const object = requireObject(objects.secret(namespace, name), 'secret', name, optional);
  const value = object === undefined ? undefined : secretValue(object, key);
  if (value === undefined && !optional)
    throw new MissingReferenceError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
  return value?.toString();
}

async function fileKey(
  { volumeName, path, key, optional = false }: NonNullable<ValueFrom['fileKeyRef']>,
  sources: EnvironmentSources,
): Promise<string | undefined> {
  const value = envFileValue(await sources.readFile(volumeName, path), key);
  if (value === undefined && !optional) {
    const where = `${JSON.stringify(path)} of volume ${JSON.stringify(volumeName)}`;
    throw new ContainerConfigError(
      `environment variable key ${JSON.stringify(key)} not found in file ${where}`,
    );
  }
  return value;
}

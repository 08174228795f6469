/**
 * kubelet's records of pulled images, `kubelet.config.k8s.io/v1beta1` (v1alpha1 is read too): which images it pulled
 * and who has shown that they may. They hold hashes of logins, never logins.
 * https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/#kubelet-config-k8s-io-v1beta1-ImagePulledRecord
 */
import { NodeletError } from '#lib/errors.ts';
import { goJson } from '../go-text.ts';

export interface PullIntent {
  /** As the pod's specification names it. */
  image: string;
}

export interface RecordedSecret {
  uid: string;
  namespace: string;
  name: string;
  credentialHash: string;
}

export interface RecordedServiceAccount {
  uid: string;
  namespace: string;
  name: string;
}

export interface RecordedCredentials {
  kubernetesSecrets?: RecordedSecret[];
  kubernetesServiceAccounts?: RecordedServiceAccount[];
  /** Pulled anonymously or with the node's login: every pod of the node may use it. */
  nodePodsAccessible?: boolean;
}

export interface PulledRecord {
  /** RFC 3339. */
  lastUpdatedTime: string;
  /** The image's ID in the runtime. */
  imageRef: string;
  /** By the image's name as written, without tag and digest. */
  credentialMapping?: Record<string, RecordedCredentials>;
}

export class RecordError extends NodeletError {
  readonly code = 'PULL_RECORD';
}

const GROUP = 'kubelet.config.k8s.io';
const API_VERSION = `${GROUP}/v1beta1`;
const READABLE: readonly unknown[] = [API_VERSION, `${GROUP}/v1alpha1`];

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Each named field a string. */
const hasTexts = (value: unknown, ...names: string[]): value is Fields =>
  isObject(value) && names.every((name) => typeof value[name] === 'string');

const isListOf = (value: unknown, ...names: string[]): boolean =>
  value === undefined || (Array.isArray(value) && value.every((each) => hasTexts(each, ...names)));

function isCredentials(value: unknown): value is RecordedCredentials {
  return (
    isObject(value) &&
    isListOf(value['kubernetesSecrets'], 'uid', 'namespace', 'name', 'credentialHash') &&
    isListOf(value['kubernetesServiceAccounts'], 'uid', 'namespace', 'name') &&
    ['undefined', 'boolean'].includes(typeof value['nodePodsAccessible'])
  );
}

function decode(kind: string, text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RecordError(`${kind}: isn't valid JSON`, { cause });
  }
  if (!isObject(value) || value['kind'] !== kind || !READABLE.includes(value['apiVersion'])) {
    throw new RecordError(`isn't a ${kind} of ${API_VERSION}`);
  }
  return value;
}

/** Throws RecordError. */
export function decodeIntent(text: string): PullIntent {
  const value = decode('ImagePullIntent', text);
  if (!hasTexts(value, 'image')) throw new RecordError('ImagePullIntent: no image');
  return { image: value['image'] as string };
}

/** Throws RecordError. */
export function decodePulled(text: string): PulledRecord {
  const value = decode('ImagePulledRecord', text);
  if (!hasTexts(value, 'imageRef', 'lastUpdatedTime')) {
    throw new RecordError('ImagePulledRecord: no imageRef or lastUpdatedTime');
  }
  const mapping = value['credentialMapping'] ?? {};
  if (!isObject(mapping) || !Object.values(mapping).every(isCredentials)) {
    throw new RecordError('ImagePulledRecord: credentialMapping is malformed');
  }
  return {
    lastUpdatedTime: value['lastUpdatedTime'] as string,
    imageRef: value['imageRef'] as string,
    credentialMapping: mapping as Record<string, RecordedCredentials>,
  };
}

export const encodeIntent = (intent: PullIntent): string =>
  `${goJson({ kind: 'ImagePullIntent', apiVersion: API_VERSION, ...intent })}\n`;

/** Only fields that kubelet knows: it decodes strictly and would drop the record otherwise. */
export function encodePulled(record: PulledRecord): string {
  const mapping = Object.entries(record.credentialMapping ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([image, { kubernetesSecrets, kubernetesServiceAccounts, nodePodsAccessible }]) => [
      image,
      {
        ...(kubernetesSecrets?.length ? { kubernetesSecrets } : {}),
        ...(kubernetesServiceAccounts?.length ? { kubernetesServiceAccounts } : {}),
        ...(nodePodsAccessible === true ? { nodePodsAccessible } : {}),
      },
    ]);
  return `${goJson({
    kind: 'ImagePulledRecord',
    apiVersion: API_VERSION,
    lastUpdatedTime: record.lastUpdatedTime,
    imageRef: record.imageRef,
    ...(mapping.length > 0 && { credentialMapping: Object.fromEntries(mapping) as unknown }),
  })}\n`;
}

/** A record's time: whole seconds, as upstream writes it. */
export const recordTime = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 19)}Z`;

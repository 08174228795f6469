/**
 * What is wrong with a ConfigMap or Secret; no finding shows a Secret's value. Rules: ValidateConfigMap and
 * ValidateSecret of k8s.io/kubernetes/pkg/apis/core/validation of 1.36.
 */
import { configKey } from '../names.ts';
import type { ConfigMap, Secret } from '../types.ts';
import { Field } from './field.ts';
import type { Finding } from './field.ts';
import { validateMetadata } from './metadata.ts';

/** Of all values together. */
const MOST_BYTES = 1024 * 1024;

/** An empty list is a good object. */
export function validateConfigMap(object: ConfigMap): Finding[] {
  const field = new Field();
  validateMetadata(object.metadata, field.at('metadata'));
  const { data = {}, binaryData = {} } = object;
  for (const key of Object.keys(data)) {
    field.at('data', key).check(key, configKey(key));
    if (Object.hasOwn(binaryData, key)) field.at('data', key).error(key, 'is in binaryData, too');
  }
  for (const [key, value] of Object.entries(binaryData)) {
    field.at('binaryData', key).check(key, configKey(key));
    field.at('binaryData', key).check(undefined, base64Problem(value));
  }
  const texts = Object.values(data).map((text) => Buffer.byteLength(text));
  checkSize([...texts, ...Object.values(binaryData).map(base64Size)], field);
  return field.findings;
}

/** What a type of Secret must hold: all of the first keys, one at least of the second, and which of them are JSON. */
const TYPES: Readonly<Record<string, { all?: string[]; any?: string[]; json?: boolean }>> = {
  'kubernetes.io/dockercfg': { all: ['.dockercfg'], json: true },
  'kubernetes.io/dockerconfigjson': { all: ['.dockerconfigjson'], json: true },
  'kubernetes.io/basic-auth': { any: ['username', 'password'] },
  'kubernetes.io/ssh-auth': { all: ['ssh-privatekey'] },
  'kubernetes.io/tls': { all: ['tls.crt', 'tls.key'] },
};

/** As `validateConfigMap`; `stringData` has been moved into `data`. */
export function validateSecret(object: Secret): Finding[] {
  const field = new Field();
  validateMetadata(object.metadata, field.at('metadata'));
  const { data = {}, type = '' } = object;
  for (const [key, value] of Object.entries(data)) {
    field.at('data', key).check(key, configKey(key));
    field.at('data', key).check(undefined, base64Problem(value));
  }
  checkSize(Object.values(data).map(base64Size), field);
  const { all = [], any = [], json = false } = TYPES[type] ?? {};
  for (const key of all) {
    const value = data[key];
    const at = field.at('data', key);
    if (value === undefined) at.required(`must be set in a Secret of type ${type}`);
    else if (json && !isJson(Buffer.from(value, 'base64').toString())) at.error(undefined, 'must be JSON');
  }
  if (any.length > 0 && !any.some((key) => data[key] !== undefined))
    field.at('data').required(`must have ${any.join(' or ')} in a Secret of type ${type}`);
  return field.findings;
}

const base64Problem = (text: string): string | undefined =>
  text.replace(/\s/g, '').length % 4 === 0 ? undefined : 'must be text in base64';

const base64Size = (text: string): number => Buffer.byteLength(text, 'base64');

function checkSize(sizes: readonly number[], field: Field): void {
  const size = sizes.reduce((sum, each) => sum + each, 0);
  if (size > MOST_BYTES)
    field.at('data').error(undefined, `must have at most ${MOST_BYTES} bytes in all (it has ${size})`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

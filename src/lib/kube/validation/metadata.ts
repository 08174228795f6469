import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../names.ts';
import { PathSegmentError, safeSegment } from '../../path-segment.ts';
import type { ObjectMeta } from '../types.ts';
import type { Field } from './field.ts';

/** Keys and values of all annotations together, in bytes. */
const MOST_ANNOTATIONS = 256 * 1024;

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, field: Field): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    field.at(key).check(key, prefixed('the key', qualifiedName(key)));
    field.at(key).check(value, prefixed('the value', labelValue(value)));
  }
}

const prefixed = (what: string, problem: string | undefined): string | undefined =>
  problem === undefined ? undefined : `${what} ${problem}`;

/** `suffix` is what the node will append to the name: both together have to fit. */
export function validateMetadata(metadata: ObjectMeta | undefined, field: Field, suffix = ''): void {
  const name = metadata?.name ?? '';
  if (name === '') {
    const generated = metadata?.generateName !== undefined;
    field
      .at('name')
      .required(generated ? 'must be set: generateName works with an API server only' : 'must be set');
  } else {
    const problem = dns1123Subdomain(name);
    field.at('name').check(name, problem);
    const whole = `${name}${suffix}`;
    if (problem === undefined && whole.length > 253) {
      field
        .at('name')
        .error(name, `must, with ${JSON.stringify(suffix)} after it, have at most 253 characters`);
    }
  }
  field.at('namespace').checkName(metadata?.namespace ?? 'default', dns1123Label);
  if (metadata?.uid !== undefined && metadata.uid !== '') {
    field.at('uid').check(metadata.uid, uidProblem(metadata.uid));
  }
  validateLabels(metadata?.labels, field.at('labels'));
  validateAnnotations(metadata?.annotations, field.at('annotations'));
}

function uidProblem(uid: string): string | undefined {
  try {
    safeSegment(uid, 'the UID');
  } catch (error) {
    if (error instanceof PathSegmentError) return 'names folders and must be a plain file name';
    throw error;
  }
  // The UID is a part of `NAMESPACE_NAME_UID` (log folders) and of cgroup names, where '_' and '.' have a meaning.
  return /^[A-Za-z0-9-]{1,128}$/.test(uid) ? undefined : "must be at most 128 letters, digits and '-'";
}

function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, field: Field): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    field.at(key).check(key, prefixed('the key', qualifiedName(key.toLowerCase())));
  }
  if (bytes > MOST_ANNOTATIONS)
    field.error(undefined, `must have at most ${MOST_ANNOTATIONS} bytes in all (it has ${bytes})`);
}

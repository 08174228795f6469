import { badRequest } from './status-error.ts';
import { isMap, textOf } from './object.ts';
import type { KubeObject } from './object.ts';

export type Matcher = (object: KubeObject) => boolean;

/** `a=b,c!=d` as triples. */
function terms(text: string): { field: string; negated: boolean; value: string }[] {
  return text
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^\s*([^!=\s]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(term);
      if (match === null) throw badRequest(`invalid field selector: ${term}`);
      return { field: match[1]!, negated: match[2] === '!=', value: match[3]! };
    });
}

const specFields = (...names: string[]): string[] => names.map((name) => `spec.${name}`);

/** The field selectors of each kind, besides those on name and namespace that all have: upstream's, in part. */
const supported: Readonly<Record<string, readonly string[]>> = {
  pods: [
    ...specFields('nodeName', 'restartPolicy', 'schedulerName', 'serviceAccountName', 'hostNetwork'),
    'status.phase',
    'status.podIP',
  ],
  nodes: specFields('unschedulable'),
  services: specFields('clusterIP', 'type'),
  secrets: ['type'],
  certificatesigningrequests: specFields('signerName'),
  resourceslices: specFields('nodeName', 'driver'),
  events: ['name', 'namespace', 'uid', 'kind']
    .map((name) => `involvedObject.${name}`)
    .concat('reason', 'type'),
};

function read(object: KubeObject, path: string): string {
  let at: unknown = object;
  for (const step of path.split('.')) at = isMap(at) ? at[step] : undefined;
  return textOf(at);
}

/** `plural` tells which fields may be selected by; throws 400 for others. */
export function fieldMatcher(plural: string, text: string): Matcher {
  const allowed = ['metadata.name', 'metadata.namespace', ...(supported[plural] ?? [])];
  const wanted = terms(text);
  for (const { field } of wanted) {
    if (!allowed.includes(field)) throw badRequest(`field label not supported: ${field}`);
  }
  return (object) => wanted.every(({ field, negated, value }) => (read(object, field) === value) !== negated);
}

/** The value that a selector demands of a field, where it demands one. */
export const demandedField = (text: string | undefined, field: string): string | undefined =>
  terms(text ?? '').find((term) => term.field === field && !term.negated)?.value;

const oneOf = (list: string): string[] => list.split(',').map((each) => each.trim());

function labelTerm(term: string): (labels: Record<string, string>) => boolean {
  const set = /^\s*([^\s,!=]+)\s+(in|notin)\s+\(([^)]*)\)\s*$/.exec(term);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = oneOf(list);
    if (operator === 'in') return (labels) => values.includes(labels[key] ?? '\0');
    return (labels) => !values.includes(labels[key] ?? '\0');
  }
  const equality = /^\s*([^\s!=]+)\s*(==|=|!=)\s*([^\s]*)\s*$/.exec(term);
  if (equality !== null) {
    const [, key = '', operator, value] = equality;
    return (labels) => (labels[key] === value) === (operator !== '!=');
  }
  const presence = /^\s*(!?)\s*([^\s!=()]+)\s*$/.exec(term);
  if (presence === null) throw badRequest(`unable to parse requirement: ${term}`);
  const [, not, key = ''] = presence;
  return (labels) => key in labels !== (not === '!');
}

export function labelMatcher(text: string): Matcher {
  // Commas separate terms, but not inside `in (a,b)`.
  const wanted = text
    .split(/,(?![^(]*\))/)
    .filter((term) => term.trim() !== '')
    .map(labelTerm);
  return ({ metadata }) => wanted.every((holds) => holds(metadata.labels ?? {}));
}

import { badRequest } from './status-error.ts';
import { textOf } from './object.ts';
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

const fields: Record<string, (object: KubeObject) => unknown> = {
  'metadata.name': (object) => object.metadata.name,
  'metadata.namespace': (object) => object.metadata.namespace,
  'spec.nodeName': (object) => object.spec?.['nodeName'],
  'spec.restartPolicy': (object) => object.spec?.['restartPolicy'],
  'spec.serviceAccountName': (object) => object.spec?.['serviceAccountName'],
  'status.phase': (object) => object.status?.['phase'],
  'status.podIP': (object) => object.status?.['podIP'],
  type: (object) => object['type'],
  'spec.signerName': (object) => object.spec?.['signerName'],
  'involvedObject.name': (object) => (object['involvedObject'] as { name?: string } | undefined)?.name,
  'involvedObject.uid': (object) => (object['involvedObject'] as { uid?: string } | undefined)?.uid,
  reason: (object) => object['reason'],
};

/** The field selectors that some kind supports; which kind supports which is not told apart. */
export function fieldMatcher(text: string): Matcher {
  const wanted = terms(text).map(({ field, negated, value }) => {
    const read = fields[field];
    if (read === undefined) throw badRequest(`field label not supported: ${field}`);
    return (object: KubeObject): boolean => (textOf(read(object)) === value) !== negated;
  });
  return (object) => wanted.every((holds) => holds(object));
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

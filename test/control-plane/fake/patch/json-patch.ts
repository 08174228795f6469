import { canonicalJson } from '#lib/kube/canonical.ts';
import { isMap, textOf } from '../object.ts';
import type { Json } from '../object.ts';
import { StatusError, badRequest } from '../status-error.ts';

const refuse = (why: string): StatusError =>
  new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${why}`);

const steps = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));

function member(holder: Json, step: string): Json | undefined {
  if (Array.isArray(holder)) return holder[Number(step)];
  return isMap(holder) ? holder[step] : undefined;
}

function read(document: Json, path: string): Json {
  let at: Json | undefined = document;
  for (const step of steps(path)) at = at === undefined ? undefined : member(at, step);
  if (at === undefined) throw refuse(`there is no ${path}`);
  return at;
}

function write(document: Json, path: string, how: 'add' | 'replace' | 'remove', value: Json): void {
  const last = steps(path).at(-1) ?? '';
  const holder = read(document, path.slice(0, path.lastIndexOf('/')));
  if (how !== 'add' && member(holder, last) === undefined) throw refuse(`there is no ${path}`);
  if (Array.isArray(holder)) {
    const index = last === '-' ? holder.length : Number(last);
    if (how === 'add') holder.splice(index, 0, value);
    else holder.splice(index, 1, ...(how === 'replace' ? [value] : []));
  } else if (isMap(holder)) {
    if (how === 'remove') delete holder[last];
    else holder[last] = value;
  } else throw refuse(`${path} is in no object`);
}

/** RFC 6902. */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list of operations');
  const document = structuredClone(target);
  for (const operation of patch) {
    const { op, path, from, value = null } = operation as Record<string, Json>;
    if (typeof path !== 'string') throw badRequest('an operation of a JSON patch needs a path');
    if (op === 'test') {
      if (canonicalJson(read(document, path)) !== canonicalJson(value))
        throw refuse(`test of ${path} failed`);
    } else if (op === 'move' || op === 'copy') {
      const moved = structuredClone(read(document, textOf(from)));
      if (op === 'move') write(document, textOf(from), 'remove', null);
      write(document, path, 'add', moved);
    } else if (op === 'add' || op === 'replace' || op === 'remove') write(document, path, op, value);
    else throw badRequest(`unknown operation ${textOf(op)}`);
  }
  return document;
}

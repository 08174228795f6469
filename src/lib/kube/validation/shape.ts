/**
 * Gives a decoded object the shape that the schema says, as the API server's decoder does: nulls mean "not given",
 * unknown fields are left out (with a warning: the server drops them silently), wrong types are errors.
 */
import { parseQuantity } from '../quantity.ts';
import { describeError } from '../../errors.ts';
import type { Field } from './field.ts';
import { podSchema } from './pod-schema.ts';

type Members = ReadonlyMap<string, string>;

const MAX_INT32 = 2 ** 31 - 1;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

const MEMBERS: ReadonlyMap<string, Members> = new Map(
  Object.entries(podSchema).map(([type, fields]) => {
    const pairs = fields.split(' ').map((pair) => pair.split(':'));
    return [type, new Map(pairs.map(([name = '', of = 'any']) => [name, of]))];
  }),
);

const members = (type: string): Members => MEMBERS.get(type) ?? new Map();

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  return value === null ? 'null' : `a ${typeof value}`;
};

/**
 * `value` as `type`, with what is wrong reported at `field` and left out. The result shares nothing mutable with
 * `value` except below `any`.
 */
export function conform(value: unknown, type: string, field: Field): unknown {
  if (value === null || value === undefined) return undefined;
  if (type.startsWith('[]')) return list(value, type.slice(2), field);
  if (type.startsWith('{}')) return map(value, type.slice(2), field);
  switch (type) {
    case 'any':
      return value;
    case 'string':
      return text(value, field);
    case 'int':
      return integer(value, MAX_INT32, field);
    case 'long':
      return integer(value, Number.MAX_SAFE_INTEGER, field);
    case 'bool':
      if (typeof value === 'boolean') return value;
      field.error(value, `must be true or false${typeof value === 'string' ? ', without quotes' : ''}`);
      return undefined;
    case 'Quantity':
      return quantity(value, field);
    case 'IntOrString':
      if (typeof value === 'string') return value;
      return integer(value, MAX_INT32, field);
    case 'time':
      if (typeof value === 'string' && TIME.test(value)) return value;
      field.error(value, 'must be a time such as "2026-01-31T12:00:00Z"');
      return undefined;
    case 'bytes':
      if (typeof value === 'string' && /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value)) return value;
      field.error(value, 'must be text in base64');
      return undefined;
    default:
      return object(value, type, field);
  }
}

function text(value: unknown, field: Field): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') {
    field.error(value, `must be text: numbers need quotes here, as in "${value}"`);
  } else if (typeof value === 'boolean') {
    field.error(value, 'must be text: true, false, yes, no, on, off, y and n need quotes here, as in "yes"');
  } else field.error(value, `must be text, not ${kindOf(value)}`);
  return undefined;
}

function integer(value: unknown, most: number, field: Field): number | undefined {
  if (typeof value === 'number' && Number.isInteger(value)) {
    if (Math.abs(value) <= most) return value;
    field.error(value, `must be a whole number of at most ${most}`);
  } else if (typeof value === 'string' && /^\s*[-+]?\d+\s*$/.test(value)) {
    field.error(value, 'must be a number: write it without quotes');
  } else field.error(value, 'must be a whole number');
  return undefined;
}

function quantity(value: unknown, field: Field): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') {
    field.error(value, 'must be an amount such as 500m, 2 or 64Mi');
    return undefined;
  }
  try {
    parseQuantity(value);
    return String(value);
  } catch (error) {
    field.error(value, describeError(error));
    return undefined;
  }
}

function list(value: unknown, of: string, field: Field): unknown[] | undefined {
  if (!Array.isArray(value)) {
    field.error(value, `must be a list (entries that begin with "- "), not ${kindOf(value)}`);
    return undefined;
  }
  const result: unknown[] = [];
  for (const [i, each] of value.entries()) {
    const at = field.at(i);
    if (each === null) at.error(each, 'an empty entry: write its value, or remove the entry');
    // A bad entry keeps its place, so that the paths of later findings stay right.
    result.push(conform(each, of, at) ?? (of === 'string' ? '' : {}));
  }
  return result;
}

function map(value: unknown, of: string, field: Field): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    field.error(value, `must be a map (KEY: VALUE), not ${kindOf(value)}`);
    return undefined;
  }
  const result: [string, unknown][] = [];
  for (const [key, each] of Object.entries(value)) {
    const at = field.at(key);
    if (each === null && of === 'Quantity') at.error(each, 'must be an amount such as 500m, 2 or 64Mi');
    const good = each === null && (of === 'string' || of === 'bytes') ? '' : conform(each, of, at);
    if (good !== undefined) result.push([key, good]);
  }
  return fromEntries(result);
}

function object(value: unknown, type: string, field: Field): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    field.error(value, `must be a map of fields (FIELD: VALUE), not ${kindOf(value)}`);
    return undefined;
  }
  const known = members(type);
  const result: [string, unknown][] = [];
  for (const [key, each] of Object.entries(value)) {
    const of = known.get(key);
    if (of === undefined)
      field.at(key).warn(undefined, `there is no such field, so it does nothing${hint(key, type)}`);
    else {
      const good = conform(each, of, field.at(key));
      if (good !== undefined) result.push([key, good]);
    }
  }
  return fromEntries(result);
}

/** Without Object.fromEntries' trap: a key `__proto__` stays a plain member. */
function fromEntries(entries: [string, unknown][]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

/** What the writer may have meant by an unknown field. */
function hint(key: string, type: string): string {
  const near = [...members(type).keys()].find((name) => isNear(key.toLowerCase(), name.toLowerCase()));
  if (near !== undefined) return ` (did you mean ${near}?)`;
  const home = ['Container', 'PodSpec', 'ObjectMeta', 'SecurityContext', 'PodSecurityContext', 'Probe'].find(
    (other) => other !== type && members(other).has(key),
  );
  return home === undefined ? '' : ` (${key} belongs into a ${home})`;
}

/** Equal, or one character wrong, missing, too many or swapped with its neighbour. */
function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  const restA = a.slice(start);
  const restB = b.slice(start);
  return (
    restA === restB ||
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    (restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0])
  );
}

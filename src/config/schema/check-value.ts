import { isIP } from 'node:net';
import { isCidr, parseAddress } from '../addresses.ts';
import { parseDuration } from '#lib/go-duration.ts';
import { parseWholeQuantity } from '../quantity.ts';
import type { FieldSpec, FieldType, Json } from './field.ts';

const allowedText: Readonly<Record<FieldType, string>> = {
  bool: 'true or false',
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  duration: "a duration such as '300ms', '10s' or '2h45m'",
  'duration-or-ns': "a duration such as '5s', or a number of nanoseconds",
  path: 'a path',
  quantity: "a quantity such as '512', '10Mi' or '2G'",
  ip: 'an IP address',
  address: "an IP address, or one with a port: '10.0.0.1:80', '[::1]:80'",
  cidr: "a range such as '10.0.0.0/16'",
  list: 'a list of texts',
  ints: 'a list of whole numbers',
  map: 'a map of texts (quote numbers)',
  gates: 'a map of true and false',
  headers: 'a map of lists of texts',
  objects: 'a list of maps',
};

/** What the value is for comparing with bounds: milliseconds, whole units; undefined: it has no such measure. */
function measure(type: FieldType, value: Json): number | undefined {
  switch (type) {
    case 'int':
      return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'duration':
      return typeof value === 'string' ? parseDuration(value) : undefined;
    case 'duration-or-ns':
      return typeof value === 'number'
        ? value / 1e6
        : typeof value === 'string'
          ? parseDuration(value)
          : undefined;
    case 'quantity':
      return typeof value === 'string' || typeof value === 'number'
        ? parseWholeQuantity(String(value))
        : undefined;
    default:
      return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string';

export const isMap = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isListOf = (value: Json, item: (each: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every((each) => item(each));

const isMapOf = (value: Json, item: (each: Json) => boolean): boolean =>
  isMap(value) && Object.values(value).every(item);

function hasShape(type: FieldType, value: Json): boolean {
  switch (type) {
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
    case 'number':
    case 'duration':
    case 'duration-or-ns':
    case 'quantity':
      return measure(type, value) !== undefined;
    case 'string':
    case 'path':
      return isText(value);
    case 'ip':
      return isText(value) && (value === '' || isIP(value) !== 0);
    case 'address':
      return isText(value) && (value === '' || parseAddress(value) !== undefined);
    case 'cidr':
      return isText(value) && (value === '' || isCidr(value));
    case 'list':
      return isListOf(value, isText);
    case 'ints':
      return isListOf(value, Number.isInteger);
    case 'map':
      return isMapOf(value, isText);
    case 'gates':
      return isMapOf(value, (each) => typeof each === 'boolean');
    case 'headers':
      return isMapOf(value, (each) => isListOf(each, isText));
    case 'objects':
      return isListOf(value, isMap);
  }
}

function bounds({ type, min, max }: FieldSpec): string {
  if (min === undefined && max === undefined) return '';
  const unit = type === 'duration' || type === 'duration-or-ns' ? ' ms' : '';
  if (min === undefined) return ` up to ${max}${unit}`;
  return ` from ${min}${max === undefined ? ' up' : ` to ${max}`}${unit}`;
}

/** undefined: a good value; otherwise what is allowed, to end the sentence "allowed: …". */
export function checkValue(spec: FieldSpec, value: Json): string | undefined {
  if (!hasShape(spec.type, value)) return allowedText[spec.type] + bounds(spec);
  if (spec.oneOf !== undefined && isText(value) && !spec.oneOf.includes(value)) {
    return spec.oneOf.map((each) => (each === '' ? "''" : each)).join(', ');
  }
  const size = measure(spec.type, value);
  if (size !== undefined && (size < (spec.min ?? -Infinity) || size > (spec.max ?? Infinity))) {
    return allowedText[spec.type] + bounds(spec);
  }
  return spec.check?.(value);
}

/** Whether Go would take the value for an absent one. */
export function isZero(type: FieldType, value: Json): boolean {
  if (value === '' || value === 0) return true;
  return type === 'duration' && typeof value === 'string' && parseDuration(value) === 0;
}

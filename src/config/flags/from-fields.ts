import type { FieldSpec, FieldType, Json } from '../schema/field.ts';
import type { FlagSpec, FlagType } from './flag.ts';

const types: Readonly<Record<FieldType, FlagType>> = {
  bool: 'bool',
  int: 'int',
  number: 'number',
  string: 'string',
  duration: 'duration',
  'duration-or-ns': 'duration',
  path: 'string',
  quantity: 'quantity',
  ip: 'ip',
  address: 'address',
  cidr: 'cidr',
  list: 'list',
  ints: 'list',
  map: 'map',
  gates: 'gates',
  headers: 'headers',
  objects: 'list',
};

/** Flags that aren't written as their field's type would be. */
const exceptions: Readonly<Record<string, FlagType>> = {
  'eviction-hard': 'thresholds',
  'eviction-soft': 'thresholds',
  'reserved-memory': 'strings',
};

/** A default as help and documentation have it. */
export function defaultText(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'object') return Array.isArray(value) ? value.join(',') : JSON.stringify(value);
  return String(value);
}

/** The flags of fields that have one. Bounds are the field's, which is checked afterwards. */
export const flagsOfFields = (fields: readonly FieldSpec[]): readonly FlagSpec[] =>
  fields.flatMap(({ flag, path, type, default: initial, help, state, oneOf }) => {
    if (flag === undefined || path.startsWith('logging.')) return [];
    return [
      {
        name: flag,
        type: exceptions[flag] ?? types[type],
        default: defaultText(initial),
        help,
        state: state === 'works' ? ('works' as const) : ('ignored' as const),
        ...(oneOf === undefined ? {} : { oneOf }),
      },
    ];
  });

/** A value as JSON has it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a field's value looks like in the file. */
export type FieldType =
  | 'bool'
  /** A whole number, within `min` and `max`. */
  | 'int'
  /** Any number, within `min` and `max`. */
  | 'number'
  | 'string'
  /** Go's notation; bounds are milliseconds. */
  | 'duration'
  /** As `duration`, or a number of nanoseconds. */
  | 'duration-or-ns'
  /** A file or folder; a relative one is under the folder of the file that names it. */
  | 'path'
  /** Text, or a number; bounds are whole units. */
  | 'quantity'
  | 'ip'
  /** `10.0.0.1:80`, `[::1]:80`, or an address alone. */
  | 'address'
  | 'cidr'
  /** Texts. */
  | 'list'
  /** Whole numbers. */
  | 'ints'
  /** Texts by name. */
  | 'map'
  /** Booleans by name. */
  | 'gates'
  /** Lists of texts by name. */
  | 'headers'
  /** Objects, whose fields are `fields`. */
  | 'objects';

/**
 * - `works`: has the effect that upstream's documentation says.
 * - `warned`: is read and checked; a value other than the default is named in a warning, because it has no effect
 *   here yet.
 */
export type FieldState = 'works' | 'warned';

export interface FieldSpec {
  /** Names joined by dots: `authentication.webhook.cacheTTL`. */
  readonly path: string;
  readonly type: FieldType;
  /** As the file would have it; undefined: absent. */
  readonly default: Json | undefined;
  readonly help: string;
  readonly state: FieldState;
  /** The flag that sets the same thing. */
  readonly flag?: string;
  readonly oneOf?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** In a file 0, '' and the like mean the default, as in Go's types without a pointer. */
  readonly zeroIsUnset?: boolean;
  /** Never shown. */
  readonly secret?: boolean;
  /** Of each item of `objects`. */
  readonly fields?: readonly FieldSpec[];
  /** What else a value must be: says what is allowed where it isn't. */
  readonly check?: (value: Json) => string | undefined;
}

export type FieldExtra = Partial<
  Pick<FieldSpec, 'flag' | 'oneOf' | 'min' | 'max' | 'zeroIsUnset' | 'secret' | 'fields' | 'check'>
>;

/** One line of a field table: path, type, default, help, and what else there is to say. */
export type FieldRow = readonly [
  path: string,
  type: FieldType,
  initial: Json | undefined,
  help: string,
  extra?: FieldExtra,
];

export const fieldTable = (state: FieldState, rows: readonly FieldRow[]): readonly FieldSpec[] =>
  rows.map(([path, type, initial, help, extra]) => ({
    path,
    type,
    default: initial,
    help,
    state,
    ...extra,
  }));

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((each, at) => sameJson(each as Json, b[at] as Json))
    );
  }
  const [left, right] = [a, b] as [Record<string, Json>, Record<string, Json>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => sameJson(left[key], right[key]));
}

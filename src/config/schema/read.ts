import { dirname, isAbsolute, join } from 'node:path';
import { nearest } from '../flags/nearest.ts';
import { checkValue, isMap, isZero } from './check-value.ts';
import type { FieldSpec, Json } from './field.ts';
import { badValue, whereIs, type Origin } from './origin.ts';
import { treeOf, type FieldTree } from './tree.ts';

export interface Written {
  value: Json;
  origin: Origin;
}

interface Reading {
  origin: Origin;
  /** Relative paths are under it. */
  folder: string | undefined;
  fields: Map<string, Written>;
  warnings: string[];
}

/** Names that every object has; the loader has looked at them. */
const ownNames = new Set(['apiVersion', 'kind']);

const below = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}.${name}`);

function unknown(name: string, prefix: string, tree: FieldTree, { origin, warnings }: Reading): void {
  const hint = nearest(name, tree.keys());
  const path = below(prefix, name);
  warnings.push(
    `${whereIs(origin, path)} is not known and has no effect` +
      (hint === undefined ? '' : `; did you mean ${below(prefix, hint)}?`),
  );
}

function resolve(spec: FieldSpec, value: Json, folder: string | undefined): Json {
  if (spec.type !== 'path' || typeof value !== 'string' || value === '' || isAbsolute(value)) return value;
  return folder === undefined ? value : join(folder, value);
}

function readField(spec: FieldSpec, value: Json, at: string, reading: Reading): void {
  const { origin } = reading;
  if (spec.zeroIsUnset === true && isZero(spec.type, value)) return;
  const allowed = checkValue(spec, value);
  if (allowed !== undefined) throw badValue(whereIs(origin, at), value, allowed, spec.secret);
  if (spec.fields !== undefined && Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      if (isMap(item)) walk(item, treeOf(spec.fields), `${at}[${i}]`, { ...reading, fields: new Map() });
    }
  }
  reading.fields.set(at, { value: resolve(spec, value, reading.folder), origin });
}

function walk(
  object: Readonly<Record<string, Json>>,
  tree: FieldTree,
  prefix: string,
  reading: Reading,
): void {
  for (const [name, value] of Object.entries(object)) {
    if (prefix === '' && ownNames.has(name)) continue;
    const node = tree.get(name);
    const at = below(prefix, name);
    if (node === undefined) unknown(name, prefix, tree, reading);
    else if (value === null) continue;
    else if (!('below' in node)) readField(node, value, at, reading);
    else if (isMap(value)) walk(value, node.below, at, reading);
    else throw badValue(whereIs(reading.origin, at), value, `a map of ${[...node.below.keys()].join(', ')}`);
  }
}

/**
 * Reads an object by a table of fields. Unknown names are warnings; a value of the wrong kind or out of bounds throws
 * UsageError with file, field, value and what is allowed. null is as good as absent.
 */
export function readObject(
  object: Readonly<Record<string, Json>>,
  specs: readonly FieldSpec[],
  origin: Origin,
): { fields: Map<string, Written>; warnings: string[] } {
  const folder = 'file' in origin ? dirname(origin.file) : undefined;
  const reading: Reading = { origin, folder, fields: new Map(), warnings: [] };
  walk(object, treeOf(specs), '', reading);
  return { fields: reading.fields, warnings: reading.warnings };
}

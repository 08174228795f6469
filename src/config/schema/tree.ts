import type { FieldSpec } from './field.ts';

/** Fields by their names: a field, or what stands below a name. */
export type FieldTree = ReadonlyMap<string, FieldSpec | { below: FieldTree }>;

type Growing = Map<string, FieldSpec | { below: Growing }>;

const trees = new WeakMap<readonly FieldSpec[], FieldTree>();

/** The fields of a table by their names, nested as in the file. */
export function treeOf(specs: readonly FieldSpec[]): FieldTree {
  const known = trees.get(specs);
  if (known !== undefined) return known;
  const root: Growing = new Map();
  for (const spec of specs) {
    const names = spec.path.split('.');
    const last = names.pop() ?? '';
    let at = root;
    for (const name of names) {
      const next = at.get(name);
      if (next !== undefined && 'below' in next) at = next.below;
      else {
        const below: Growing = new Map();
        at.set(name, { below });
        at = below;
      }
    }
    at.set(last, spec);
  }
  trees.set(specs, root);
  return root;
}

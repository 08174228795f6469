import { isMap } from '../object.ts';
import type { Json, JsonMap } from '../object.ts';
import { StatusError, badRequest } from '../status-error.ts';
import { mergeRules } from './merge-keys.ts';
import type { MergeFields, MergeRule } from './merge-keys.ts';

/** Values as a patch adds them where nothing was: without directives and without nulls. */
function clean(value: Json): Json {
  if (Array.isArray(value)) return value.filter((each) => !(isMap(each) && '$patch' in each)).map(clean);
  if (!isMap(value)) return value;
  const result: JsonMap = {};
  for (const [field, each] of Object.entries(value)) {
    if (!field.startsWith('$') && each !== null) result[field] = clean(each);
  }
  return result;
}

function mergeList(target: Json[], patch: Json[], key: string, fields: MergeFields): Json[] {
  const items = patch.map((item) => {
    if (!isMap(item)) throw badRequest(`a list that merges by ${key} takes objects only`);
    return item;
  });
  if (items.some((item) => item['$patch'] === 'replace')) {
    return items.filter((item) => item['$patch'] === undefined).map(clean);
  }
  let result = [...target];
  for (const item of items) {
    const value = item[key];
    if (value === undefined) {
      const words = `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`;
      throw new StatusError(500, 'InternalError', words);
    }
    const same = (each: Json): boolean => isMap(each) && each[key] === value;
    if (item['$patch'] === 'delete') result = result.filter((each) => !same(each));
    else if (result.some(same)) {
      result = result.map((each) => (same(each) ? mergeMap(each as JsonMap, item, fields) : each));
    } else result.push(clean(item));
  }
  return result;
}

function mergeValue(target: Json | undefined, patch: Json, rule: MergeRule): Json {
  if (isMap(patch)) return isMap(target) ? mergeMap(target, patch, rule.fields ?? {}) : clean(patch);
  if (!Array.isArray(patch) || rule.list === undefined || !Array.isArray(target)) return clean(patch);
  if (rule.list.key === undefined) return [...target, ...patch.filter((each) => !target.includes(each))];
  return mergeList(target, patch, rule.list.key, rule.fields ?? {});
}

function mergeMap(target: JsonMap, patch: JsonMap, fields: MergeFields): JsonMap {
  if (patch['$patch'] === 'replace') return clean(patch) as JsonMap;
  if (patch['$patch'] === 'delete') return {};
  const result = { ...target };
  const kept = patch['$retainKeys'];
  if (Array.isArray(kept)) {
    for (const field of Object.keys(result)) if (!kept.includes(field)) delete result[field];
  }
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$deleteFromPrimitiveList/')) {
      const list = field.slice(field.indexOf('/') + 1);
      const old = result[list];
      if (Array.isArray(old) && Array.isArray(value)) {
        result[list] = old.filter((each) => !value.includes(each));
      }
    }
    // $setElementOrder too: nothing that a node writes depends on the order.
    if (field.startsWith('$')) continue;
    if (value === null) delete result[field];
    else result[field] = mergeValue(result[field], value, fields[field] ?? {});
  }
  return result;
}

/** A strategic merge patch, for the kinds of merge-keys.ts; other kinds' lists are replaced. */
export function strategicPatch(kind: string, target: JsonMap, patch: Json): JsonMap {
  if (!isMap(patch)) throw badRequest('a strategic merge patch is an object');
  return mergeMap(target, patch, mergeRules(kind));
}

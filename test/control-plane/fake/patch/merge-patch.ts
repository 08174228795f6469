import { isMap } from '../object.ts';
import type { Json } from '../object.ts';

/** RFC 7396. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const result = isMap(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else result[field] = mergePatch(result[field] ?? null, value);
  }
  return result;
}

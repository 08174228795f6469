/** Strategic merge patches as the API server applies them, for the few lists that the agent patches. */
const MERGE_KEYS: Record<string, string> = { conditions: 'type', podIPs: 'ip', hostIPs: 'ip' };
const ORDER = '$setElementOrder/';

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function strategicMerge(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const result: Fields = isFields(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(ORDER)) continue;
    const mergeKey = MERGE_KEYS[key];
    if (value === null) delete result[key];
    else if (Array.isArray(value) && mergeKey !== undefined) {
      const order = patch[`${ORDER}${key}`] as Fields[] | undefined;
      result[key] = mergeList(
        (result[key] as Fields[] | undefined) ?? [],
        value as Fields[],
        mergeKey,
        order,
      );
      if ((result[key] as Fields[]).length === 0) delete result[key];
    } else if (isFields(value)) result[key] = strategicMerge(result[key], value);
    else result[key] = value;
  }
  return result;
}

function mergeList(target: Fields[], patch: Fields[], key: string, order: Fields[] | undefined): Fields[] {
  let result = [...target];
  for (const each of patch) {
    const at = result.findIndex((old) => old[key] === each[key]);
    if (each['$patch'] === 'delete') result = result.filter((_, index) => index !== at);
    else if (at < 0) result.push(each);
    else result[at] = strategicMerge(result[at], each) as Fields;
  }
  const rank = (each: Fields): number => order?.findIndex((other) => other[key] === each[key]) ?? 0;
  return order === undefined ? result : result.toSorted((a, b) => rank(a) - rank(b));
}

/** `-o json`: as kubectl prints it. */
export const toJson = (value: unknown): string => `${JSON.stringify(value, undefined, 4)}\n`;

/** `-o yaml`. The YAML library is loaded only here: most commands do without. */
export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, sortMapEntries: true });
}

/** Several objects as one, as the API has it. */
export const listOf = (items: readonly unknown[]): object => ({
  apiVersion: 'v1',
  items,
  kind: 'List',
  metadata: { resourceVersion: '' },
});

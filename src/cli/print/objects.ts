/** `-o json`: as kubectl prints it. */
export const toJson = (value: unknown): string => `${JSON.stringify(value, undefined, 4)}\n`;

/** `-o yaml`. The YAML library is loaded only here: most commands do without. */
export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  // YAML 1.1's rules for quotes: readers of it (kubectl's is one) would take a bare time or `on` for something else.
  return stringify(value, {
    version: '1.1',
    lineWidth: 0,
    indentSeq: false,
    aliasDuplicateObjects: false,
    sortMapEntries: true,
  });
}

/** Several objects as one, as the API has it. */
export const listOf = (items: readonly unknown[]): object => ({
  apiVersion: 'v1',
  items,
  kind: 'List',
  metadata: { resourceVersion: '' },
});

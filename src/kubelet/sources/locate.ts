import { isMap, isScalar, isSeq } from 'yaml';
import type { Document, Node } from 'yaml';
import type { Path } from '#lib/kube/validation/field.ts';

/**
 * The line of the value at `path`, or of the nearest thing above it that is written in the document. Aliases and
 * merged maps are not followed: their line would be elsewhere.
 */
export function locate(
  document: Document,
  path: Path,
  lineAt: (offset: number) => number,
): number | undefined {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const step of path) {
    if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = startOf(node) ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      offset = startOf(pair?.key) ?? offset;
      node = pair?.value;
    } else break;
  }
  return offset === undefined ? undefined : lineAt(offset);
}

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];

/** One parsed YAML document as a JSON value, with the caps that keep hostile documents small. */
import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Document, Node, Pair, Scalar } from 'yaml';
import { plainScalar, taggedScalar } from './yaml-scalar.ts';

export const MAX_DEPTH = 100;
export const MAX_ALIASES = 100;
/** Values that the aliases of one document may stand for, all together. */
const MAX_ALIASED_VALUES = 10_000;

/** A document that is YAML but not what a manifest may be; `offset` is where in the text. */
export class YamlValueError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const offsetOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0;

export function toValue(document: Document.Parsed): unknown {
  return new Builder(document).build(document.contents, 0);
}

class Builder {
  readonly #document: Document.Parsed;
  #aliases = 0;
  #aliasedValues = 0;
  #insideAlias = 0;

  constructor(document: Document.Parsed) {
    this.#document = document;
  }

  build(node: unknown, depth: number): unknown {
    if (depth > MAX_DEPTH) {
      throw new YamlValueError(`nested more than ${MAX_DEPTH} levels deep`, offsetOf(node));
    }
    if (this.#insideAlias > 0 && ++this.#aliasedValues > MAX_ALIASED_VALUES) {
      throw new YamlValueError(
        `the aliases stand for more than ${MAX_ALIASED_VALUES} values`,
        offsetOf(node),
      );
    }
    if (node === null || node === undefined) return null;
    if (isAlias(node)) {
      this.#aliases += 1;
      if (this.#aliases > MAX_ALIASES) {
        throw new YamlValueError(`more than ${MAX_ALIASES} aliases`, offsetOf(node));
      }
      const target = node.resolve(this.#document);
      if (target === undefined)
        throw new YamlValueError(`no anchor &${node.source} before this alias`, offsetOf(node));
      this.#insideAlias += 1;
      const value = this.build(target, depth + 1);
      this.#insideAlias -= 1;
      return value;
    }
    if (isScalar(node)) return scalarValue(node);
    if (isSeq(node)) return node.items.map((item) => this.build(item, depth + 1));
    if (isMap(node)) return this.#map(node.items, depth);
    throw new YamlValueError('neither a value, a list nor a map', offsetOf(node));
  }

  #map(pairs: readonly Pair[], depth: number): Record<string, unknown> {
    const members = new Map<string, unknown>();
    const merged: unknown[] = [];
    for (const { key, value } of pairs) {
      if (isScalar(key) && key.type === 'PLAIN' && key.value === '<<') {
        merged.push(...asList(this.build(value, depth + 1)));
        continue;
      }
      const name = this.#key(key, depth);
      if (members.has(name))
        throw new YamlValueError(`the key ${JSON.stringify(name)} is there twice`, offsetOf(key));
      members.set(name, this.build(value, depth + 1));
    }
    for (const each of merged) {
      if (typeof each !== 'object' || each === null)
        throw new YamlValueError('<< must merge maps', offsetOf(pairs[0]?.key));
      for (const [name, value] of Object.entries(each)) if (!members.has(name)) members.set(name, value);
    }
    return plainObject(members);
  }

  #key(key: unknown, depth: number): string {
    const value = this.build(key, depth + 1);
    if (typeof value === 'object' && value !== null)
      throw new YamlValueError('a key must be plain text', offsetOf(key));
    return String(value);
  }
}

const asList = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : [value]);

function scalarValue(node: Scalar): unknown {
  // Some explicit tags make the parser build values of its own (dates, bytes); their text is what counts here.
  const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
  const tagged = node.tag === undefined ? undefined : taggedScalar(node.tag, text);
  if (tagged !== undefined) return tagged;
  return node.type === 'PLAIN' || node.type === undefined ? plainScalar(text) : text;
}

/** An object whose members are its own whatever their names, `__proto__` included. */
function plainObject(members: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of members) {
    Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

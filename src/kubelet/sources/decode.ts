/**
 * Manifest text (YAML or JSON, several documents) to Kubernetes objects, whatever their kind. It knows nothing of
 * Pods: who serves a kind picks its objects out.
 */
import { LineCounter, Lexer, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';
import type { Path } from '#lib/kube/validation/field.ts';
import { locate } from './locate.ts';
import { MAX_DEPTH, toValue, YamlValueError } from './yaml-value.ts';

/** As upstream caps a manifest file, in bytes. */
export const MAX_MANIFEST_BYTES = 10 << 20;
/** What the YAML reader may spend: it takes about a microsecond a token. */
const MAX_TOKENS = 1_000_000;

/** One object of a manifest. */
export interface ManifestObject {
  apiVersion: string;
  kind: string;
  value: Readonly<Record<string, unknown>>;
  /** 1 for the first document of the manifest, empty ones counted. */
  document: number;
  /** Where the object is in its document: `items[2]` of a List. */
  root: Path;
  /** The line (1 is the first) of a field of the object, or of the nearest thing above it. */
  lineOf(path: Path): number | undefined;
}

/** A document that holds no object that could be read. */
export interface DocumentError {
  document: number;
  line?: number;
  path?: Path;
  value?: unknown;
  message: string;
}

export interface Decoded {
  objects: ManifestObject[];
  errors: DocumentError[];
}

export function decodeManifest(text: string): Decoded {
  const result: Decoded = { objects: [], errors: [] };
  const costly = tooCostly(text);
  const documents = costly === undefined ? parse(text) : undefined;
  // What isn't YAML may still be JSON: with tabs, or too long for the slower reader.
  if (documents === undefined || documents.some(({ document }) => document.errors.length > 0)) {
    const json = parseJson(text);
    if (json !== undefined) {
      addObject(json.value, 1, [], () => undefined, result);
      return result;
    }
  }
  if (documents === undefined) result.errors.push({ document: 1, message: costly ?? 'nested too deeply' });
  for (const [i, each] of (documents ?? []).entries()) addDocument(each, i + 1, result);
  return result;
}

interface Parsed {
  document: Document.Parsed;
  lines: LineCounter;
}

function parse(text: string): Parsed[] | undefined {
  const lines = new LineCounter();
  try {
    // Failsafe: every scalar stays text, and the own rules say what it means. Double keys are found by the builder,
    // for the parser's search takes time in the square of a map's size.
    const found = parseAllDocuments(text, {
      schema: 'failsafe',
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
      lineCounter: lines,
    });
    const documents = Array.isArray(found) ? found : [];
    return documents.map((document) => ({ document: document as Document.Parsed, lines }));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function parseJson(text: string): { value: unknown } | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** Says why a text is not worth a full parse, before it is parsed. */
function tooCostly(text: string): string | undefined {
  let tokens = 0;
  let depth = 0;
  let markers = 0;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    else if (token === '-' || token === '?') markers += 1;
    else if (token.startsWith('\n')) markers = 0;
    if (depth > MAX_DEPTH || markers > MAX_DEPTH) return `nested more than ${MAX_DEPTH} levels deep`;
    if (tokens > MAX_TOKENS)
      return `more than ${MAX_TOKENS} YAML tokens: write it as JSON, or split the file`;
  }
  return undefined;
}

function addDocument({ document, lines }: Parsed, number: number, result: Decoded): void {
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const [error] = document.errors;
  if (error !== undefined) {
    const deep = error.message.startsWith('Maximum call stack');
    // The text that it stumbled over may be of a Secret.
    const words = error.message.replace(/: ".*"$/s, '');
    const message = deep ? `nested more than ${MAX_DEPTH} levels deep` : `not valid YAML: ${words}`;
    result.errors.push({ document: number, line: lineAt(error.pos[0]), message });
    return;
  }
  try {
    const value = toValue(document);
    addObject(value, number, [], (path) => locate(document, path, lineAt), result);
  } catch (thrown) {
    if (!(thrown instanceof YamlValueError)) throw thrown;
    result.errors.push({ document: number, line: lineAt(thrown.offset), message: thrown.message });
  }
}

type LineOf = (path: Path) => number | undefined;

function addObject(value: unknown, document: number, root: Path, lineIn: LineOf, result: Decoded): void {
  if (value === null || value === undefined) return;
  const refuse = (path: Path, offender: unknown, message: string): void => {
    const line = lineIn(path);
    result.errors.push({
      document,
      message,
      ...(line === undefined ? {} : { line }),
      ...(path.length === 0 ? {} : { path }),
      ...(offender === undefined ? {} : { value: offender }),
    });
  };
  if (typeof value !== 'object' || Array.isArray(value)) {
    refuse(root, value, 'must be a Kubernetes object: a map with apiVersion, kind and metadata');
    return;
  }
  const object = value as Readonly<Record<string, unknown>>;
  const { apiVersion, kind } = object;
  if (typeof kind !== 'string' || kind === '') {
    refuse([...root, 'kind'], kind, 'must be set, for example to Pod');
    return;
  }
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    refuse([...root, 'apiVersion'], apiVersion, 'must be set, for example to v1');
    return;
  }
  const items = object['items'];
  if (kind.endsWith('List') && (Array.isArray(items) || items === undefined || items === null)) {
    const list = (items ?? []) as unknown[];
    for (const [i, item] of list.entries()) addItem(item, kind, apiVersion, [...root, 'items', i]);
    return;
  }
  const lineOf = (path: Path): number | undefined => lineIn([...root, ...path]);
  result.objects.push({ apiVersion, kind, value: object, document, root, lineOf });

  function addItem(item: unknown, listKind: string, version: string, path: Path): void {
    if (path.length > 2 * 4) return refuse(path, undefined, 'Lists inside Lists inside Lists');
    // The items of a PodList don't say what they are: the list does.
    const implied =
      listKind === 'List' ? {} : { apiVersion: version, kind: listKind.slice(0, -'List'.length) };
    const isMap = typeof item === 'object' && item !== null && !Array.isArray(item);
    addObject(isMap ? { ...implied, ...item } : (item ?? 'null'), document, path, lineIn, result);
  }
}

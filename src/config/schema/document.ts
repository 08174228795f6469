import { readText } from '#host/files.ts';
import { UsageError, describeError } from '#lib/errors.ts';
import type { Json } from './field.ts';
import type { Origin } from './origin.ts';

export interface ConfigDocument {
  value: Readonly<Record<string, Json>>;
  origin: Origin & { file: string };
}

/** `a.b[1].c` as the steps of a path. */
const steps = (path: string): (string | number)[] =>
  path.split('.').flatMap((name) => {
    const [, plain = name, index] = /^(.*)\[(\d+)\]$/.exec(name) ?? [];
    return index === undefined ? [plain] : [plain, Number(index)];
  });

async function textOf(file: string, flag: string): Promise<string> {
  let text: string | undefined;
  try {
    text = await readText(file);
  } catch (error) {
    throw new UsageError(`flag --${flag}: ${file} can’t be read: ${describeError(error)}`, { cause: error });
  }
  if (text === undefined) throw new UsageError(`flag --${flag}: there is no file ${file}`);
  if (text.trim() === '')
    throw new UsageError(`flag --${flag}: ${file} is empty: it must hold a configuration`);
  return text;
}

/**
 * Reads a file (YAML or JSON) that holds one configuration object of a kind. `file` is absolute, `flag` is what
 * named it. Throws UsageError that says what is wrong, with the line where there is one.
 */
export async function readDocument(
  file: string,
  flag: string,
  { apiVersion, kind }: { apiVersion: string; kind: string },
): Promise<ConfigDocument> {
  const text = await textOf(file, flag);
  // Only who has a file pays for the reader.
  const { decodeManifest } = await import('#kubelet/sources/decode.ts');
  const { objects, errors } = decodeManifest(text);
  const [error] = errors;
  if (error !== undefined) {
    const at = error.line === undefined ? file : `${file}:${error.line}`;
    const field = error.path === undefined ? '' : `field ${error.path.join('.')} `;
    throw new UsageError(`${at}: ${field}${error.message}`);
  }
  const [object, ...more] = objects;
  if (object === undefined) throw new UsageError(`${file} holds nothing: it must be a ${kind}`);
  if (more.length > 0) throw new UsageError(`${file} holds ${objects.length} objects; allowed: one ${kind}`);
  if (object.kind !== kind || object.apiVersion !== apiVersion) {
    const found = JSON.stringify(`${object.apiVersion} ${object.kind}`);
    throw new UsageError(`${file}: ${found} is not allowed here; allowed: ${apiVersion} ${kind}`);
  }
  return {
    value: object.value as Readonly<Record<string, Json>>,
    origin: { file, lineOf: (path) => object.lineOf(steps(path)) },
  };
}

import { InternalError, type UsageError } from '#lib/errors.ts';
import { parseDuration } from '#lib/go-duration.ts';
import { parseWholeQuantity } from '../quantity.ts';
import { isMap } from './check-value.ts';
import { sameJson, type FieldSpec, type Json } from './field.ts';
import { badValue, shownValue, whereIs, type Origin } from './origin.ts';
import type { Written } from './read.ts';

/** A configuration object, read: what was written, and the defaults of the rest. Typed reading by path. */
export class Settings {
  readonly #specs: ReadonlyMap<string, FieldSpec>;
  readonly #written: ReadonlyMap<string, Written>;

  constructor(specs: readonly FieldSpec[], written: ReadonlyMap<string, Written>) {
    this.#specs = new Map(specs.map((spec) => [spec.path, spec]));
    this.#written = written;
  }

  /** Whether a file or a flag says something of the field. */
  has(path: string): boolean {
    return this.#written.has(path);
  }

  /** What was written, or the default; undefined: absent. */
  json(path: string): Json | undefined {
    return this.#written.get(path)?.value ?? this.#spec(path).default;
  }

  bool(path: string): boolean {
    const value = this.json(path) ?? false;
    if (typeof value === 'boolean') return value;
    throw new InternalError(`field ${path} is no boolean`);
  }

  /** Of an absent number: 0. */
  number(path: string): number {
    return this.numberOrUndefined(path) ?? 0;
  }

  numberOrUndefined(path: string): number | undefined {
    const value = this.json(path);
    if (value === undefined || typeof value === 'number') return value;
    throw new InternalError(`field ${path} is no number`);
  }

  /** Of an absent text: ''. */
  string(path: string): string {
    const value = this.json(path) ?? '';
    if (typeof value === 'string') return value;
    throw new InternalError(`field ${path} is no text`);
  }

  /** The text, but for an empty one. */
  stringOrUndefined(path: string): string | undefined {
    const value = this.string(path);
    return value === '' ? undefined : value;
  }

  /** Milliseconds; of an absent duration: 0. */
  ms(path: string): number {
    const value = this.json(path) ?? 0;
    const ms = typeof value === 'number' ? value / 1e6 : parseDuration(textOf(value));
    if (ms !== undefined) return ms;
    throw new InternalError(`field ${path} is no duration`);
  }

  /** Whole units of a quantity. */
  quantity(path: string): number {
    const units = parseWholeQuantity(textOf(this.json(path) ?? 0));
    if (units !== undefined) return units;
    throw new InternalError(`field ${path} is no quantity`);
  }

  list(path: string): readonly string[] {
    const value = this.json(path) ?? [];
    if (Array.isArray(value)) return value as readonly string[];
    throw new InternalError(`field ${path} is no list`);
  }

  /** Items of a list of objects or numbers. */
  items(path: string): readonly Json[] {
    const value = this.json(path) ?? [];
    if (Array.isArray(value)) return value as readonly Json[];
    throw new InternalError(`field ${path} is no list`);
  }

  map<T extends Json = string>(path: string): Readonly<Record<string, T>> {
    const value = this.json(path) ?? {};
    if (isMap(value)) return value as Readonly<Record<string, T>>;
    throw new InternalError(`field ${path} is no map`);
  }

  /** `flag --max-pods`, `FILE:12: field maxPods`, or `field maxPods` where it is the default. */
  where(path: string): string {
    const origin = this.#written.get(path)?.origin;
    return origin === undefined ? `field ${path}` : whereIs(origin, path);
  }

  /** The error that names the field, its value and what is allowed. */
  bad(path: string, allowed: string, value: Json = this.json(path) ?? null): UsageError {
    return badValue(this.where(path), value, allowed, this.#spec(path).secret);
  }

  /** Names every field that is set to something else than its default and has no effect. */
  warnings(): string[] {
    return [...this.#written].flatMap(([path, { value, origin }]) => {
      const spec = this.#spec(path);
      if (spec.state === 'works' || sameJson(value, spec.default) || isEmpty(value)) return [];
      // Given as a flag, the flag's own warning says it.
      if ('flag' in origin) return [];
      const shown = shownValue(value, spec.secret);
      return [`${whereIs(origin, path)}: ${shown} has no effect in this version of nodelet`];
    });
  }

  /** The same with one field replaced. */
  with(path: string, value: Json, origin: Origin): Settings {
    const written = new Map(this.#written).set(path, { value, origin });
    return new Settings([...this.#specs.values()], written);
  }

  /** The whole object, defaults and all, nested as in the file; secrets are masked. */
  effective(): Record<string, Json> {
    const root: Record<string, Json> = {};
    for (const spec of this.#specs.values()) {
      const value = this.json(spec.path);
      if (value !== undefined) place(root, spec.path.split('.'), spec.secret === true ? mask(value) : value);
    }
    return root;
  }

  #spec(path: string): FieldSpec {
    const spec = this.#specs.get(path);
    if (spec === undefined) throw new InternalError(`no field ${path}`);
    return spec;
  }
}

/** A text or a number, as text; anything else is none. */
const textOf = (value: Json): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

const isEmpty = (value: Json): boolean =>
  value === '' ||
  (Array.isArray(value) && value.length === 0) ||
  (isMap(value) && Object.keys(value).length === 0);

function place(root: Record<string, Json>, names: readonly string[], value: Json): void {
  const [name = '', ...rest] = names;
  if (rest.length === 0) {
    root[name] = value;
    return;
  }
  const next = (root[name] ?? {}) as Record<string, Json>;
  root[name] = next;
  place(next, rest, value);
}

/** Headers as upstream masks them; of a URL, what may be a password goes. */
function mask(value: Json): Json {
  if (typeof value === 'string' && URL.canParse(value)) {
    const { protocol, host, pathname } = new URL(value);
    return `${protocol}//${host}${pathname}`;
  }
  if (!isMap(value)) return '<masked>';
  return Object.fromEntries(Object.keys(value).map((key) => [key, ['<masked>']]));
}

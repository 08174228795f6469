import { InternalError } from '#lib/errors.ts';
import type { FlagValue } from './flag.ts';
import type { ParsedFlags } from './parse.ts';

/** Typed reading of parsed flags; the parser has made sure of the types. */
export class Flags {
  readonly #values: ReadonlyMap<string, FlagValue>;

  constructor(parsed: ParsedFlags) {
    this.#values = parsed.values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** As it was parsed; undefined: not given. */
  value(name: string): FlagValue | undefined {
    return this.#values.get(name);
  }

  /** undefined: not given. */
  string(name: string): string | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === 'string') return value;
    throw new InternalError(`flag ${name} is no string`);
  }

  bool(name: string): boolean | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw new InternalError(`flag ${name} is no boolean`);
  }

  /** Whole numbers, milliseconds of durations, values of quantities. */
  number(name: string): number | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === 'number') return value;
    throw new InternalError(`flag ${name} is no number`);
  }

  list(name: string): readonly string[] {
    const value = this.#values.get(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value as string[];
    throw new InternalError(`flag ${name} is no list`);
  }

  headers(name: string): Readonly<Record<string, readonly string[]>> {
    const value = this.#values.get(name);
    return value === undefined ? {} : (value as Readonly<Record<string, readonly string[]>>);
  }

  /** Pairs of `map`, `gates` and `thresholds`. */
  map(name: string): Readonly<Record<string, string>> {
    const value = this.#values.get(name);
    return value === undefined ? {} : (value as Readonly<Record<string, string>>);
  }
}

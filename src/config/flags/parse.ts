import { UsageError } from '#lib/errors.ts';
import type { FlagSpec, FlagValue } from './flag.ts';
import { nearest } from './nearest.ts';
import { BadValue, parseFlagValue } from './value.ts';

export interface ParsedFlags {
  /** What was given, by name; flags that weren't given are absent. */
  readonly values: ReadonlyMap<string, FlagValue>;
  /** Everything that is no flag, in order. */
  readonly rest: readonly string[];
  /** The words after `--`, which are also the end of `rest`; undefined where there was no `--`. */
  readonly afterDashes: readonly string[] | undefined;
}

export interface ParseStyle {
  /** Whether `-name` means `--name` (the daemons) or a cluster of one-letter flags (the commands). */
  singleDashIsLong: boolean;
  /** Whether everything from the second plain word on is not for us: `exec POD CMD -flag`. */
  stopAfterWords?: number;
}

const normalize = (name: string): string => name.replaceAll('_', '-');

/** Command lines go into logs and bug reports; a value that may be a secret isn't repeated. */
const shown = (spec: FlagSpec, text: string): string =>
  spec.type === 'headers'
    ? 'this value'
    : JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);

/**
 * Parses flags in the manner of Go's pflag: `--name value`, `--name=value`, `_` equals `-`, booleans take a value
 * only with `=`, `-v=2`, `-v 2`, `-v2`, lists and maps add up. Throws UsageError with the flag, its value, what is
 * allowed, and the nearest name.
 */
export function parseFlags(
  specs: readonly FlagSpec[],
  args: readonly string[],
  style: ParseStyle,
): ParsedFlags {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const byLetter = new Map(specs.flatMap((spec) => (spec.short === undefined ? [] : [[spec.short, spec]])));
  const values = new Map<string, FlagValue>();
  const rest: string[] = [];
  let afterDashes: string[] | undefined;
  let lastBool: FlagSpec | undefined;

  const set = (spec: FlagSpec, as: string, text: string): void => {
    const value = parseFlagValue(spec, text, values.get(spec.name));
    if (value instanceof BadValue) {
      throw new UsageError(`flag ${as}: ${shown(spec, text)} is not allowed; allowed: ${value.allowed}`);
    }
    values.set(spec.name, value);
  };

  const unknown = (as: string): never => {
    const plain = normalize(as.replace(/^-+/, ''));
    const hint = nearest(plain, byName.keys());
    throw new UsageError(`unknown flag ${as}${hint === undefined ? '' : `; did you mean --${hint}?`}`);
  };

  let at = 0;
  const next = (as: string): string => {
    at += 1;
    const text = args[at];
    if (text === undefined) throw new UsageError(`flag ${as} needs a value`);
    return text;
  };

  const letters = (word: string): void => {
    for (let index = 1; index < word.length; index += 1) {
      const as = `-${word[index] ?? ''}`;
      const spec = byLetter.get(word[index] ?? '') ?? unknown(word.length === 2 ? as : `${as} in ${word}`);
      const tail = word.slice(index + 1);
      if (tail.startsWith('=')) return set(spec, as, tail.slice(1));
      if (spec.type !== 'bool') return set(spec, as, tail === '' ? next(as) : tail);
      set(spec, as, 'true');
    }
  };

  for (; at < args.length; at += 1) {
    const word = args[at] ?? '';
    if (word === '--') {
      afterDashes = args.slice(at + 1);
      rest.push(...afterDashes);
      break;
    }
    if (word === '-' || !word.startsWith('-')) {
      if (lastBool !== undefined && (word === 'true' || word === 'false')) {
        throw new UsageError(`flag --${lastBool.name} takes its value only as --${lastBool.name}=${word}`);
      }
      rest.push(word);
      if (style.stopAfterWords === rest.length) {
        rest.push(...args.slice(at + 1));
        break;
      }
      continue;
    }
    lastBool = undefined;
    const isLong = word.startsWith('--') || (style.singleDashIsLong && !/^-[a-zA-Z](=|\d|$)/.test(word));
    if (!isLong) {
      letters(word);
      continue;
    }
    const equals = word.indexOf('=');
    const as = equals < 0 ? word : word.slice(0, equals);
    const spec = byName.get(normalize(as.replace(/^--?/, ''))) ?? unknown(as);
    if (equals >= 0) set(spec, as, word.slice(equals + 1));
    else if (spec.type === 'bool') {
      set(spec, as, 'true');
      lastBool = spec;
    } else set(spec, as, next(as));
  }
  return { values, rest, afterDashes };
}

import { formatDuration } from '#lib/go-duration.ts';
import { parseBool } from '../flags/value.ts';
import type { FlagValue } from '../flags/flag.ts';
import { parseTaint } from '../taints.ts';
import { checkValue } from './check-value.ts';
import type { FieldSpec, Json } from './field.ts';
import { badValue } from './origin.ts';

type Converted = { value: Json } | { bad: string };

const good = (value: Json): Converted => ({ value });

function taints(words: readonly string[]): Converted {
  const found: Json[] = [];
  for (const word of words.filter((each) => each !== '')) {
    const taint = parseTaint(word);
    if (typeof taint === 'string') return { bad: taint };
    found.push({ ...taint });
  }
  return good(found);
}

/** `0:memory=1Gi,hugepages-2Mi=1Gi`, also several joined by semicolons. */
function memory(words: readonly string[]): Converted {
  const found: Json[] = [];
  for (const word of words.flatMap((each) => each.split(';')).filter((each) => each !== '')) {
    const [, node, amounts = ''] = /^(\d+):(.+)$/.exec(word) ?? [];
    const pairs = amounts.split(',').map((each) => each.split('='));
    if (node === undefined || pairs.some((pair) => pair.length !== 2)) {
      return { bad: "NODE:TYPE=QUANTITY, such as '0:memory=1Gi,hugepages-2Mi=1Gi'" };
    }
    found.push({ numaNode: Number(node), limits: Object.fromEntries(pairs) as Record<string, string> });
  }
  return good(found);
}

/** `file=2,other*=3` */
function modules(words: readonly string[]): Converted {
  const found: Json[] = [];
  for (const word of words.filter((each) => each !== '')) {
    const [, filePattern, verbosity] = /^([^=]+)=(\d+)$/.exec(word) ?? [];
    if (filePattern === undefined) return { bad: 'PATTERN=N, comma-separated' };
    found.push({ filePattern, verbosity: Number(verbosity) });
  }
  return good(found);
}

const ofObjects: Readonly<Record<string, (words: readonly string[]) => Converted>> = {
  'register-with-taints': taints,
  'reserved-memory': memory,
  vmodule: modules,
};

function convert(spec: FieldSpec, flag: string, value: FlagValue): Converted {
  switch (spec.type) {
    case 'duration':
    case 'duration-or-ns':
      return good(formatDuration(Number(value)));
    case 'quantity':
      return good(String(Number(value)));
    case 'gates':
      return good(
        Object.fromEntries(
          Object.entries(value as Record<string, string>).map(([name, text]) => [
            name,
            parseBool(text) ?? false,
          ]),
        ),
      );
    case 'objects':
      return ofObjects[flag]?.(value as readonly string[]) ?? { bad: 'nothing' };
    default:
      return good(value);
  }
}

/**
 * What a flag's value is as the field's, checked as the field is. Throws UsageError with the flag, its value and what
 * is allowed.
 */
export function fieldValueOfFlag(spec: FieldSpec, flag: string, value: FlagValue): Json {
  const converted = convert(spec, flag, value);
  const bad = 'bad' in converted ? converted.bad : checkValue(spec, converted.value);
  if (bad !== undefined) throw badValue(`flag --${flag}`, value, bad, spec.secret);
  return 'bad' in converted ? null : converted.value;
}

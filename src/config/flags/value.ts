import { isIP } from 'node:net';
import { parseDuration } from '#lib/go-duration.ts';
import { isCidr, parseAddress } from '../addresses.ts';
import { parseWholeQuantity } from '../quantity.ts';
import type { FlagSpec, FlagType, FlagValue } from './flag.ts';

/** A value that a flag can't take; `allowed` ends the sentence "allowed: …". */
export class BadValue {
  readonly allowed: string;

  constructor(allowed: string) {
    this.allowed = allowed;
  }
}

const allowedText: Readonly<Record<FlagType, string>> = {
  string: 'any text',
  bool: 'true or false',
  int: 'a whole number',
  number: 'a number',
  duration: "a duration such as '300ms', '10s' or '2h45m'",
  quantity: "a quantity such as '512', '10Mi' or '2G'",
  ip: 'an IP address',
  address: "an IP address, or one with a port: '10.0.0.1:80', '[::1]:80'",
  cidr: "a range such as '10.0.0.0/16'",
  list: 'a comma-separated list',
  map: 'comma-separated key=value pairs',
  gates: 'comma-separated name=true|false pairs',
  thresholds: "comma-separated pairs such as 'memory.available<100Mi'",
  headers: "comma-separated pairs such as 'name:value'",
  strings: 'any text',
};

/** Go's strconv.ParseBool. */
const booleans: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

export function parseBool(text: string): boolean | undefined {
  return Object.hasOwn(booleans, text) ? booleans[text] : undefined;
}

/** Splits at commas; an empty text has no parts. */
export const commaParts = (text: string): string[] => (text === '' ? [] : text.split(','));

function pairs(text: string, separator: string, bad: BadValue): [string, string][] | BadValue {
  const found: [string, string][] = [];
  for (const part of commaParts(text)) {
    if (part === '') continue;
    const at = part.indexOf(separator);
    if (at <= 0) return bad;
    found.push([part.slice(0, at).trim(), part.slice(at + 1).trim()]);
  }
  return found;
}

function bounded(spec: FlagSpec, value: number | undefined): number | BadValue {
  const { min, max } = spec;
  const what = allowedText[spec.type];
  const range =
    min === undefined
      ? max === undefined
        ? ''
        : ` up to ${max}`
      : ` from ${min}${max === undefined ? ' up' : ` to ${max}`}`;
  const unit = spec.type === 'duration' && range !== '' ? ' ms' : '';
  const fits = value !== undefined && value >= (min ?? -Infinity) && value <= (max ?? Infinity);
  return fits ? value : new BadValue(`${what}${range}${unit}`);
}

/** Reads one occurrence of a flag; `before` is what earlier occurrences gave, for flags that add up. */
export function parseFlagValue(
  spec: FlagSpec,
  text: string,
  before: FlagValue | undefined,
): FlagValue | BadValue {
  const bad = new BadValue(allowedText[spec.type]);
  switch (spec.type) {
    case 'string':
      if (spec.oneOf !== undefined && !spec.oneOf.includes(text)) {
        return new BadValue(spec.oneOf.map((each) => (each === '' ? "''" : each)).join(', '));
      }
      return text;
    case 'bool':
      return parseBool(text) ?? bad;
    case 'int':
      return bounded(spec, /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined);
    case 'number':
      return bounded(spec, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined);
    case 'duration':
      return bounded(spec, parseDuration(text));
    case 'quantity':
      return bounded(spec, parseWholeQuantity(text));
    case 'ip':
      return text === '' || isIP(text) !== 0 ? text : bad;
    case 'address':
      return text === '' || parseAddress(text) !== undefined ? text : bad;
    case 'cidr':
      return text === '' || isCidr(text) ? text : bad;
    case 'list':
      return [...((before as string[] | undefined) ?? []), ...commaParts(text).map((part) => part.trim())];
    case 'strings':
      return [...((before as string[] | undefined) ?? []), text];
    case 'map':
    case 'gates':
    case 'thresholds': {
      const found = pairs(text, spec.type === 'thresholds' ? '<' : '=', bad);
      if (found instanceof BadValue) return found;
      if (spec.type === 'gates' && found.some(([, value]) => parseBool(value) === undefined)) return bad;
      return { ...(before as Record<string, string> | undefined), ...Object.fromEntries(found) };
    }
    case 'headers': {
      const found = pairs(text, ':', bad);
      if (found instanceof BadValue) return found;
      const all: Record<string, string[]> = { ...(before as Record<string, string[]> | undefined) };
      for (const [name, value] of found) all[name] = [...(all[name] ?? []), value];
      return all;
    }
  }
}

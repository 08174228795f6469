/** Text as Go's standard library prints it, where upstream's messages and files carry it. */

const UNITS = [
  { name: 'h', ms: 3_600_000 },
  { name: 'm', ms: 60_000 },
] as const;

/** A duration cut to milliseconds, as Go's Duration prints it: `0s`, `345ms`, `1.5s`, `1m2.03s`, `1h0m0s`. */
export function goDuration(durationMs: number): string {
  let rest = Math.max(0, Math.trunc(durationMs));
  if (rest === 0) return '0s';
  if (rest < 1000) return `${rest}ms`;
  let text = '';
  for (const { name, ms } of UNITS) {
    const count = Math.floor(rest / ms);
    rest -= count * ms;
    if (count > 0 || text !== '') text += `${count}${name}`;
  }
  return `${text}${rest / 1000}s`;
}

/** JSON as Go's encoder writes it: `<`, `>`, `&` and the two line separators escaped. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `%q` for what messages quote: image names. */
export const quote = (text: string): string => JSON.stringify(text);

import { ContainerConfigError } from './config-error.ts';

/**
 * A variable's value in a file of `NAME='value'` lines (KEP-3721; pkg/kubelet/util/env of 1.36): values in single
 * quotes, taken as they are, over several lines too; comments and blank lines between. Undefined where the file doesn't
 * set it, or sets it to nothing. What follows the variable isn't looked at. Throws ContainerConfigError, which names the
 * line and never quotes it.
 */
export function envFileValue(text: string, name: string): string | undefined {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  for (let at = 0; at < lines.length; at++) {
    const refuse = (problem: string): ContainerConfigError =>
      new ContainerConfigError(`invalid environment variable format at line ${at + 1}: ${problem}`);
    const line = (lines[at] ?? '').replace(/^[ \t]+/, '');
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    if (equals < 0) throw refuse("missing '='");
    const found = line.slice(0, equals);
    if (found.trim() === '') throw refuse('empty variable name');
    if (/[ \t]$/.test(found)) throw refuse("whitespace before '=' is not allowed");
    const value = line.slice(equals + 1);
    if (/^[ \t]/.test(value)) {
      // As in a shell: an empty value, and then something else.
      if (found === name) return undefined;
      continue;
    }
    if (!value.startsWith("'")) throw refuse('value must be enclosed in single quotes');
    let rest = value.slice(1);
    let whole = '';
    const begin = at;
    for (let close = rest.indexOf("'"); close < 0; close = rest.indexOf("'")) {
      whole += `${rest}\n`;
      at++;
      const next = lines[at];
      if (next === undefined) {
        throw new ContainerConfigError(
          `invalid environment variable format starting at line ${begin + 1}: unclosed single quote`,
        );
      }
      rest = next;
    }
    const close = rest.indexOf("'");
    if (!/^[ \t]*(#|$)/.test(rest.slice(close + 1))) throw refuse('unexpected content after closing quote');
    if (found === name) return whole + rest.slice(0, close) || undefined;
  }
  return undefined;
}

import { UsageError } from '#lib/errors.ts';
import type { Json } from './field.ts';

/** Where a value was written. */
export type Origin =
  | { readonly flag: string }
  | { readonly file: string; lineOf(path: string): number | undefined };

/** `flag --max-pods`, or `/etc/kubelet.yaml:12: field maxPods`. */
export function whereIs(origin: Origin, path: string): string {
  if ('flag' in origin) return `flag --${origin.flag}`;
  const line = origin.lineOf(path);
  return `${origin.file}${line === undefined ? '' : `:${line}`}: field ${path}`;
}

/** A value in an error or a warning, cut short; a secret isn't repeated. */
export function shownValue(value: Json, secret = false): string {
  if (secret) return 'this value';
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

export function badValue(where: string, value: Json, allowed: string, secret = false): UsageError {
  return new UsageError(`${where}: ${shownValue(value, secret)} is not allowed; allowed: ${allowed}`);
}

import { BadRequestError } from './errors.ts';
import type { ExecOptions, LogOptions } from './view.ts';

function bool(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false';
  if (text !== 'true' && text !== 'false') throw new BadRequestError(`${name} must be true or false`);
  return text === 'true';
}

export function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new BadRequestError(`${name} must be a whole number, not negative`);
  return Number(text);
}

export function logOptions(query: URLSearchParams): LogOptions {
  const container = query.get('container');
  const tailLines = wholeNumber(query, 'tailLines');
  const sinceSeconds = wholeNumber(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime');
  const limitBytes = wholeNumber(query, 'limitBytes');
  if (sinceTime !== null && Number.isNaN(Date.parse(sinceTime))) {
    throw new BadRequestError('sinceTime must be a time as RFC 3339 writes it');
  }
  return {
    ...(container === null ? {} : { container }),
    follow: bool(query, 'follow'),
    previous: bool(query, 'previous'),
    timestamps: bool(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTime === null ? {} : { sinceTime }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  };
}

export function execOptions(query: URLSearchParams): ExecOptions {
  const container = query.get('container');
  const options: ExecOptions = {
    ...(container === null ? {} : { container }),
    command: query.getAll('command'),
    stdin: bool(query, 'stdin'),
    stdout: bool(query, 'stdout'),
    stderr: bool(query, 'stderr'),
    tty: bool(query, 'tty'),
  };
  if (options.command.length === 0) throw new BadRequestError('command: at least one word is needed');
  if (options.tty && options.stderr) throw new BadRequestError('tty and stderr exclude each other');
  if (!options.stdin && !options.stdout && !options.stderr) {
    throw new BadRequestError('at least one of stdin, stdout and stderr must be true');
  }
  return options;
}

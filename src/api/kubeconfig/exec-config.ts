import { dirname, resolve } from 'node:path';
import { shown } from './fields.ts';
import type { Fields } from './fields.ts';

const versions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'] as const;
const modes = ['Never', 'IfAvailable', 'Always'] as const;

/** `users[].user.exec`: a program that prints credentials. */
export interface ExecConfig {
  apiVersion: (typeof versions)[number];
  /** A path, absolute, or a bare name to be looked for in PATH. */
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  installHint: string | undefined;
  provideClusterInfo: boolean;
}

/** The program's standard input is never a terminal: `interactiveMode: Always` is refused. */
export function parseExecConfig(fields: Fields): ExecConfig {
  const apiVersion = oneOf(fields, 'apiVersion', versions);
  if (apiVersion === undefined) throw fields.error('apiVersion', `is missing; write ${versions[0]}`);
  const mode = oneOf(fields, 'interactiveMode', modes);
  if (mode === undefined && apiVersion === versions[0]) {
    throw fields.error('interactiveMode', 'is missing; write Never or IfAvailable');
  }
  if (mode === 'Always') {
    throw fields.error(
      'interactiveMode',
      '"Always" needs a terminal, which an agent has none of; use a plugin without',
    );
  }
  const command = fields.string('command');
  if (command === undefined) throw fields.error('command', 'is missing');
  return {
    apiVersion,
    command: command.includes('/') ? resolve(dirname(resolve(fields.file)), command) : command,
    args: fields.strings('args'),
    env: Object.fromEntries(fields.maps('env').map(variable)),
    installHint: fields.string('installHint')?.trim(),
    provideClusterInfo: fields.boolean('provideClusterInfo'),
  };
}

function variable(fields: Fields): [string, string] {
  const name = fields.string('name');
  if (name === undefined) throw fields.error('name', 'is missing');
  return [name, fields.string('value') ?? ''];
}

function oneOf<const V extends string>(fields: Fields, name: string, allowed: readonly V[]): V | undefined {
  const value = fields.string(name);
  const found = allowed.find((each) => each === value);
  if (value !== undefined && found === undefined) {
    throw fields.error(name, `${shown(value)} is not supported; use ${allowed.join(' or ')}`);
  }
  return found;
}

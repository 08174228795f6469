import { flagTable, type Row } from '#config/flags/table.ts';
import { parseFlags } from '#config/flags/parse.ts';
import { Flags } from '#config/flags/values.ts';
import type { FlagSpec } from '#config/flags/flag.ts';
import { AgentClient } from './client.ts';
import type { CommandContext } from './context.ts';

export const defaultSocket = '/run/nodelet/nodelet.sock';

const socketRow: Row = [
  'socket',
  'string',
  defaultSocket,
  'Socket of the agent; NODELET_SOCKET in the environment sets it too.',
];

export const namespaceRow: Row = ['namespace', 'string', 'default', 'Namespace.', { short: 'n' }];

export const containerRow: Row = ['container', 'string', '', 'Container of the pod.', { short: 'c' }];

const helpRow: Row = ['help', 'bool', 'false', 'Prints this text.', { short: 'h' }];

/** The flags of a command that talks to the agent. */
export const clientFlags = (...rows: Row[]): readonly FlagSpec[] =>
  flagTable('works', [...rows, socketRow, helpRow]);

export interface ClientArgs {
  flags: Flags;
  words: readonly string[];
  /** Words after `--`, which `words` holds too. */
  afterDashes: readonly string[] | undefined;
  client: AgentClient;
}

export function parseClientArgs(
  specs: readonly FlagSpec[],
  args: readonly string[],
  { io, signal }: CommandContext,
  stopAfterWords?: number,
): ClientArgs {
  const parsed = parseFlags(specs, args, {
    singleDashIsLong: false,
    ...(stopAfterWords === undefined ? {} : { stopAfterWords }),
  });
  const flags = new Flags(parsed);
  const fromEnv = io.env['NODELET_SOCKET'];
  const socket =
    flags.string('socket') ?? (fromEnv === undefined || fromEnv === '' ? defaultSocket : fromEnv);
  return {
    flags,
    words: parsed.rest,
    afterDashes: parsed.afterDashes,
    client: new AgentClient(socket, signal),
  };
}

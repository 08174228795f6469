import { isIP } from 'node:net';
import { NodeletError, UsageError } from '#lib/errors.ts';
import { isSingleOrDualStack, isUnspecified } from './addresses.ts';
import { parseDuration } from '#lib/go-duration.ts';
import type { FlagSpec, FlagValue } from './flags/flag.ts';
import { parseFlags } from './flags/parse.ts';
import { Flags } from './flags/values.ts';

/** The user asked for something that this version doesn't have yet. */
export class NotBuiltError extends NodeletError {
  readonly code = 'NOT_BUILT';
}

export interface DaemonFlags {
  flags: Flags;
  /** Names every given flag that has no effect, unless it asks for the default. */
  warnings: string[];
}

/** Whether the flag asks for what holds without it. */
function isDefault({ type, default: initial }: FlagSpec, value: FlagValue): boolean {
  if (typeof value === 'object') return false;
  return type === 'duration' ? value === parseDuration(initial) : String(value) === initial;
}

/** Parses a daemon's command line, which has no words but flags. */
export function parseDaemonFlags(specs: readonly FlagSpec[], args: readonly string[]): DaemonFlags {
  // `--version` alone is a boolean to its user; elsewhere the flag has values.
  const words = args.map((word) => (/^--?version$/.test(word) ? '--version=true' : word));
  const parsed = parseFlags(specs, words, { singleDashIsLong: true });
  const [word] = parsed.rest;
  if (word !== undefined) throw new UsageError(`unexpected word ${JSON.stringify(word)}: flags only, here`);
  const warnings = specs.flatMap((spec) => {
    const value = parsed.values.get(spec.name);
    if (value === undefined || isDefault(spec, value)) return [];
    if (spec.state === 'ignored') return [`flag --${spec.name} has no effect in this version of nodelet`];
    if (spec.state === 'removed') return [`flag --${spec.name} was removed upstream and has no effect`];
    return [];
  });
  const flags = new Flags(parsed);
  checkNodeIps(flags.list('node-ip'));
  return { flags, warnings };
}

/** `0.0.0.0` and `::` stand for any address of that family, so that they say nothing beside another. */
function checkNodeIps(list: readonly string[]): void {
  const refuse = (value: string, allowed: string): never => {
    throw new UsageError(`flag --node-ip: ${JSON.stringify(value)} is not allowed; allowed: ${allowed}`);
  };
  const bad = list.find((each) => isIP(each) === 0);
  if (bad !== undefined) refuse(bad, 'comma-separated IP addresses');
  if (!isSingleOrDualStack(list)) refuse(list.join(','), 'one address, or one of each family');
  if (list.length === 2 && list.some(isUnspecified)) refuse(list.join(','), '0.0.0.0 or :: only alone');
}

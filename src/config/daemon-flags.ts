import { isIP } from 'node:net';
import { NodeletError, UsageError } from '#lib/errors.ts';
import type { FlagSpec } from './flags/flag.ts';
import { parseFlags } from './flags/parse.ts';
import { Flags } from './flags/values.ts';

/** The user asked for something that this version doesn't have yet. */
export class NotBuiltError extends NodeletError {
  readonly code = 'NOT_BUILT';
}

export interface DaemonFlags {
  flags: Flags;
  /** Names every given flag that has no effect. */
  warnings: string[];
}

/** Parses a daemon's command line, which has no words but flags. */
export function parseDaemonFlags(specs: readonly FlagSpec[], args: readonly string[]): DaemonFlags {
  // `--version` alone is a boolean to its user; elsewhere the flag has values.
  const words = args.map((word) => (/^--?version$/.test(word) ? '--version=true' : word));
  const parsed = parseFlags(specs, words, { singleDashIsLong: true });
  const [word] = parsed.rest;
  if (word !== undefined) throw new UsageError(`unexpected word ${JSON.stringify(word)}: flags only, here`);
  const warnings = specs.flatMap((spec) => {
    if (!parsed.values.has(spec.name)) return [];
    if (spec.state === 'ignored') return [`flag --${spec.name} has no effect in this version of nodelet`];
    if (spec.state === 'removed') return [`flag --${spec.name} was removed from kubelet and has no effect`];
    return [];
  });
  const flags = new Flags(parsed);
  addresses(flags, 'node-ip');
  addresses(flags, 'cluster-dns');
  return { flags, warnings };
}

function addresses(flags: Flags, name: string): void {
  const list = flags.list(name);
  const bad = list.find((each) => isIP(each) === 0);
  if (bad !== undefined) {
    throw new UsageError(
      `flag --${name}: ${JSON.stringify(bad)} is not allowed; allowed: comma-separated IP addresses`,
    );
  }
  const families = list.map((each) => isIP(each));
  if (name === 'node-ip' && (list.length > 2 || new Set(families).size !== families.length)) {
    throw new UsageError(
      `flag --node-ip: ${JSON.stringify(list.join(','))} is not allowed; ` +
        'allowed: one address, or one of each family',
    );
  }
}

/**
 * NAT for what pods send to the outside: one rule for the whole range. The bridge plugin would make a chain for each pod,
 * and leave it for ever where a call of CRI is cut off.
 */
import { run } from '#host/process.ts';
import type { RunResult } from '#host/process.ts';
import { parseRange } from './range.ts';

const WAIT = ['--wait', '10', '--table', 'nat'];

export const masqueradeComment = (network: string): string => `nodelet: pods of ${network} to the outside`;

/**
 * What the pods of `range` send to anybody but one another gets the node's address. What they send to the node itself
 * never passes this chain.
 */
const rule = (network: string, range: string): string[] => {
  const comment = masqueradeComment(network);
  const match = ['--source', range, '!', '--destination', range, '--match', 'comment', '--comment', comment];
  return ['POSTROUTING', ...match, '--jump', 'MASQUERADE'];
};

const isSame = (one: string, other: string): boolean => {
  const [a, b] = [parseRange(one), parseRange(other)];
  return a !== undefined && a.first === b?.first && a.last === b.last;
};

/** The ranges that `iptables -S POSTROUTING` shows such a rule of the network for. */
export function masqueradedRanges(listing: string, network: string): string[] {
  return listing
    .split('\n')
    .filter((line) => line.includes(`"${masqueradeComment(network)}"`))
    .flatMap((line) => / -s (\S+)/.exec(line)?.[1] ?? []);
}

export interface MasqueradeOptions {
  /** The program, of either variant. */
  iptables: string;
  network: string;
  range: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  runner?: (
    program: string,
    args: readonly string[],
    options: { env: NodeJS.ProcessEnv; signal: AbortSignal },
  ) => Promise<RunResult>;
}

/** Brings about that there is just the one rule of the network; changes nothing where there is. */
export async function ensureMasquerade(options: MasqueradeOptions): Promise<void> {
  const { iptables, network, range, env, signal, runner = run } = options;
  const call = (...args: string[]): Promise<RunResult> =>
    runner(iptables, [...WAIT, ...args], { env, signal });
  const { stdout } = await call('--list-rules', 'POSTROUTING');
  let isThere = false;
  for (const found of masqueradedRanges(stdout, network)) {
    if (!isThere && isSame(found, range)) isThere = true;
    else await call('--delete', ...rule(network, found));
  }
  if (!isThere) await call('--append', ...rule(network, range));
}

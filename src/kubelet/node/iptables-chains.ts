/** The kubelet role's own chains: other programs look for the first, and the rule closes a hole that proxies open. */
import type { IpFamily } from '#host/addresses.ts';
import type { Iptables, IptablesTable } from '#host/iptables.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { asError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';

/** In which variant of iptables it is tells which variant the machine uses. */
const HINT = 'KUBE-IPTABLES-HINT';
/** Its absence tells that somebody has flushed the tables. */
const CANARY = 'KUBE-KUBELET-CANARY';
const FIREWALL = 'KUBE-FIREWALL';
const CANARY_TABLES: readonly IptablesTable[] = ['mangle', 'nat', 'filter'];
const CHECK_MS = 60_000;
const RETRY_MS = 10_000;

/**
 * Packets for 127.0.0.0/8 that come from elsewhere: a proxy that serves NodePorts on localhost has the kernel route them.
 * kube-proxy makes the same rule, so it must stay word for word; the exemption keeps answers and NodePorts alive.
 */
const MARTIANS = [
  ['-m', 'comment', '--comment', 'block incoming localnet connections'],
  ['--dst', '127.0.0.0/8', '!', '--src', '127.0.0.0/8'],
  ['-m', 'conntrack', '!', '--ctstate', 'RELATED,ESTABLISHED,DNAT'],
  ['-j', 'DROP'],
].flat();

type Tables = Pick<Iptables, 'family' | 'variant' | 'ensureChain' | 'ensureRule' | 'chainExists'>;

export interface IptablesChainsOptions {
  /** The family's programs; undefined where there are none. */
  find: (family: IpFamily) => Promise<Tables | undefined>;
  clock: Clock;
  logger: Logger;
}

/** Makes the chains and rules of one family; what is there stays. */
export async function ensureKubeletChains(tables: Tables, signal: AbortSignal): Promise<void> {
  const call = { signal };
  await tables.ensureChain('mangle', HINT, call);
  if (tables.family === 'IPv4') {
    await tables.ensureChain('filter', FIREWALL, call);
    for (const chain of ['OUTPUT', 'INPUT']) {
      await tables.ensureRule('prepend', 'filter', chain, ['-j', FIREWALL], call);
    }
    await tables.ensureRule('append', 'filter', FIREWALL, MARTIANS, call);
  }
  for (const table of CANARY_TABLES) await tables.ensureChain(table, CANARY, call);
}

/** Keeps the chains in both families until the signal aborts; they stay then. Never rejects. */
export async function keepKubeletChains(options: IptablesChainsOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger } = options;
  const found = await Promise.all(
    (['IPv4', 'IPv6'] as const).map((family) =>
      options.find(family).catch((error: unknown) => {
        logger.warn({ err: asError(error), family }, 'iptables does not work');
        return undefined;
      }),
    ),
  );
  const families = found.filter((tables) => tables !== undefined);
  if (families.length === 0) {
    logger.warn({}, 'there is no iptables on this machine: the chain KUBE-IPTABLES-HINT is not made');
    return;
  }
  await Promise.all(families.map((tables) => keepFamily(tables, clock, logger, signal)));
}

async function keepFamily(tables: Tables, clock: Clock, logger: Logger, signal: AbortSignal): Promise<void> {
  const { family, variant } = tables;
  for (let intact = false, troubled = false; !signal.aborted;) {
    try {
      if (intact) intact = await tables.chainExists('mangle', CANARY, { signal });
      if (!intact) {
        await ensureKubeletChains(tables, signal);
        logger.info({ family, variant }, 'the chains of the kubelet role are in place');
      }
      intact = true;
      troubled = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!troubled) {
        logger.warn(
          { err: asError(error), family, variant },
          "the kubelet role's iptables chains can't be made",
        );
      }
      troubled = true;
    }
    await sleep(clock, troubled ? RETRY_MS : CHECK_MS, signal).catch(() => undefined);
  }
}

import { masqueradeComment } from './masquerade.ts';
import { isInRange } from './range.ts';

interface Rule {
  table: string;
  chain: string;
  /** As iptables-save printed it, from `-A` on. */
  text: string;
  target: string | undefined;
}

function* parseRules(save: string): Generator<Rule> {
  let table = '';
  for (const line of save.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    const chain = /^-A (\S+) /.exec(line)?.[1];
    if (chain !== undefined) yield { table, chain, text: line, target: / -[jg] (\S+)/.exec(line)?.[1] };
  }
}

/** The chains that all users of portmap share, and the rules that lead there. */
const shared = ['CNI-HOSTPORT-DNAT', 'CNI-HOSTPORT-MASQ', 'CNI-HOSTPORT-SETMARK'];

/**
 * What to feed `iptables-restore --noflush` to take away all that the CNI plugins bridge, portmap and firewall made
 * for one network's pods, and of its rule for NAT: empty where there is nothing. `save` is the answer of iptables-save. The plugins write
 * the network's name in comments; firewall's rules name only addresses. Portmap's shared chains go too once
 * nobody else's rules are in them.
 */
export function renderRemoval(save: string, network: string, range: string): string {
  const rules = [...parseRules(save)];
  const isOurs = (rule: Rule): boolean =>
    rule.text.includes(`name: \\"${network}\\" id:`) ||
    rule.text.includes(`"${masqueradeComment(network)}"`) ||
    (rule.chain === 'CNI-FORWARD' &&
      [...rule.text.matchAll(/ -[sd] (\S+)/g)].some((match) => isInRange(match[1] ?? '', range)));
  const ours = rules.filter(isOurs);
  const chains = new Set(
    ours.flatMap((rule) =>
      /^CNI-(DN-)?[0-9a-f]+$/.test(rule.target ?? '') ? `${rule.table} ${rule.target}` : [],
    ),
  );
  const inChains = rules.filter((rule) => chains.has(`${rule.table} ${rule.chain}`));
  const gone = new Set([...ours, ...inChains]);
  const isUsed = rules.some((rule) => rule.chain === 'CNI-HOSTPORT-DNAT' && !gone.has(rule));
  if (!isUsed) {
    for (const rule of rules) {
      if (rule.table !== 'nat') continue;
      if (shared.includes(rule.chain) || shared.includes(rule.target ?? '')) gone.add(rule);
    }
    for (const chain of shared) if (save.includes(`\n:${chain} `)) chains.add(`nat ${chain}`);
  }
  const script: string[] = [];
  for (const table of ['nat', 'filter']) {
    const lines = [...gone]
      .filter((rule) => rule.table === table && !chains.has(`${table} ${rule.chain}`))
      .map((rule) => rule.text.replace(/^-A/, '-D'));
    const own = [...chains]
      .filter((chain) => chain.startsWith(`${table} `))
      .map((chain) => chain.slice(table.length + 1));
    if (lines.length + own.length === 0) continue;
    // A chain must be empty and unreferenced before it can go: -F all first, then the jumps, then -X.
    script.push(
      `*${table}`,
      ...own.map((chain) => `-F ${chain}`),
      ...lines,
      ...own.map((chain) => `-X ${chain}`),
      'COMMIT',
    );
  }
  return script.length === 0 ? '' : `${script.join('\n')}\n`;
}

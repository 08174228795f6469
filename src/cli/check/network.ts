import { readText } from '#host/files.ts';
import { findProgram, programFolders } from '#host/find-program.ts';
import { run } from '#host/process.ts';
import { fail, ok, warn, type Check, type Finding } from './check.ts';

/** Ports that listen, from the text of /proc/net/tcp or tcp6: local address in hexadecimal, state 0A. */
export function listeningPorts(text: string): Set<number> {
  const ports = new Set<number>();
  for (const line of text.split('\n')) {
    const match = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /.exec(line);
    if (match !== null) ports.add(Number.parseInt(match[1] ?? '', 16));
  }
  return ports;
}

const agentPorts: Readonly<Record<number, string>> = {
  10250: 'the node API',
  10248: 'healthz',
  10249: 'the proxy’s metrics',
  10256: 'the proxy’s healthz',
};

export const checkPorts: Check = async () => {
  const texts = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(readText));
  const used = listeningPorts(texts.map((text) => text ?? '').join('\n'));
  const taken = Object.entries(agentPorts).filter(([port]) => used.has(Number(port)));
  if (taken.length === 0) return [ok(`ports ${Object.keys(agentPorts).join(', ')} are free`)];
  return taken.map(([port, use]) =>
    warn(`port ${port} is in use`, `the cluster roles want it for ${use}: find its owner with ss -ltnp`),
  );
};

export const checkForwarding: Check = async ({ mode }) => {
  const findings: Finding[] = [];
  const forward = (await readText('/proc/sys/net/ipv4/ip_forward'))?.trim();
  findings.push(
    forward === '1'
      ? ok('net.ipv4.ip_forward = 1')
      : warn(`net.ipv4.ip_forward = ${forward ?? 'unknown'}`, 'sysctl -w net.ipv4.ip_forward=1'),
  );
  const bridge = (await readText('/proc/sys/net/bridge/bridge-nf-call-iptables'))?.trim();
  if (bridge === '1') findings.push(ok('bridged packets meet iptables'));
  else {
    const mend = 'modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1';
    const why = mode === 'kubelet' ? '' : ' (services between pods of this node need it)';
    findings.push(warn('bridged packets pass iptables by', mend + why));
  }
  return findings;
};

/** Rules of one variant: lines that `iptables-save` begins with `-A`. */
export const countRules = (saved: string): number =>
  saved.split('\n').filter((line) => line.startsWith('-A ')).length;

async function rules(program: string | undefined, signal: AbortSignal): Promise<number> {
  if (program === undefined) return 0;
  const { stdout } = await run(program, [], { signal, timeoutMs: 10_000, maxOutput: 256 << 20 });
  return countRules(stdout);
}

export const checkIptables: Check = async (_wish, signal) => {
  const folders = programFolders(process.env['PATH']);
  const iptables = await findProgram('iptables', folders);
  if (iptables === undefined) return [fail('iptables is missing', 'apt-get install iptables')];
  const { stdout } = await run(iptables, ['--version'], { signal, timeoutMs: 10_000 });
  const variant = stdout.includes('nf_tables') ? 'nft' : 'legacy';
  // The file says which tables are in use; asking the legacy program itself would load them.
  const inUse = ((await readText('/proc/net/ip_tables_names')) ?? '').trim() !== '';
  try {
    const legacy = inUse ? await rules(await findProgram('iptables-legacy-save', folders), signal) : 0;
    const nft = await rules(await findProgram('iptables-nft-save', folders), signal);
    const counts = `${nft} nft rules, ${legacy} legacy rules`;
    const [own, other] = variant === 'nft' ? [nft, legacy] : [legacy, nft];
    if (other > 0) {
      const both =
        own > 0 ? 'both variants of iptables hold rules' : 'the other variant of iptables holds rules';
      const mend =
        'flush one of them: update-alternatives --config iptables, or remove what writes the other';
      return [warn(`${both} (${counts}; iptables is ${variant})`, mend)];
    }
    return [ok(`iptables is ${variant} (${counts})`)];
  } catch (error) {
    signal.throwIfAborted();
    return [warn(`iptables is ${variant}; its rules can’t be read`, (error as Error).message.slice(0, 200))];
  }
};

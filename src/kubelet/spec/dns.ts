import type { DNSConfig } from '#cri/types.ts';
import type { AgentPod } from '#lib/kube/types.ts';

/** resolv.conf's own limits, as upstream applies them. */
const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;

export interface NodeDns {
  /** The text of the node's resolv.conf; undefined with `--resolv-conf ""`. */
  resolvConf: string | undefined;
  clusterDns: readonly string[];
  clusterDomain: string;
}

export interface PodDns {
  config: DNSConfig;
  /** What was left out or replaced, for a Warning event: reason and message. */
  warnings: { reason: string; message: string }[];
}

/** Reads `nameserver`, `search` (the last line counts) and `options` of a resolv.conf. */
export function parseResolvConf(text: string): DNSConfig {
  const config: DNSConfig = { servers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) config.servers.push(words[0]);
    // A lone dot stays: it means the root, and keeps a resolver from adding the host's own domain.
    if (keyword === 'search')
      config.searches = words.map((word) => (word === '.' ? word : word.replace(/\.$/, '')));
    if (keyword === 'options') config.options = words;
  }
  return config;
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];

/** The DNS settings of a pod by its dnsPolicy and dnsConfig. */
export function podDns(pod: AgentPod, node: NodeDns): PodDns {
  const warnings: PodDns['warnings'] = [];
  const host =
    node.resolvConf === undefined
      ? { servers: ['127.0.0.1'], searches: ['.'], options: [] }
      : parseResolvConf(node.resolvConf);
  const config = base(pod, node, host, warnings);
  const own = pod.spec.dnsConfig;
  const servers = unique([...config.servers, ...(own?.nameservers ?? [])]);
  const searches = unique([...config.searches, ...(own?.searches ?? [])]);
  const options = new Map(config.options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name, value } of own?.options ?? []) {
    if (name !== undefined)
      options.set(name, value === undefined || value === '' ? name : `${name}:${value}`);
  }
  return {
    config: {
      servers: limit(servers, MAX_SERVERS, 'nameservers', warnings),
      searches: limitSearches(searches, warnings),
      options: [...options.values()],
    },
    warnings,
  };
}

function base(pod: AgentPod, node: NodeDns, host: DNSConfig, warnings: PodDns['warnings']): DNSConfig {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { servers: [], searches: [], options: [] };
  const cluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec.hostNetwork !== true);
  if (!cluster || node.clusterDns.length === 0) {
    if (policy === 'ClusterFirstWithHostNet') {
      warnings.push({
        reason: 'MissingClusterDNS',
        message: `nodelet has no cluster DNS address (--cluster-dns), so dnsPolicy ${policy} falls back to Default`,
      });
    }
    return host;
  }
  const { clusterDomain: domain } = node;
  const own = domain === '' ? [] : [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return {
    servers: [...node.clusterDns],
    searches: [...own, ...host.searches],
    options: ['ndots:5'],
  };
}

function limit(values: string[], most: number, what: string, warnings: PodDns['warnings']): string[] {
  if (values.length <= most) return values;
  const kept = values.slice(0, most);
  warnings.push({
    reason: 'DNSConfigForming',
    message: `${what} limit of ${most} exceeded, some were left out; applied: ${kept.join(' ')}`,
  });
  return kept;
}

function limitSearches(searches: string[], warnings: PodDns['warnings']): string[] {
  const kept = limit(searches, MAX_SEARCHES, 'search domains', warnings);
  while (kept.join(' ').length > MAX_SEARCH_CHARACTERS) kept.pop();
  return kept;
}

/** A pod's resolv.conf. Rules: pkg/kubelet/network/dns of 1.36. */
import { isIPv6 } from 'node:net';
import type { DNSConfig } from '#cri/types.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { type DnsWarning, withinLimits } from './dns-limits.ts';

export interface NodeDns {
  /** The text of the node's resolv.conf; undefined with `--resolv-conf ""`. */
  resolvConf: string | undefined;
  clusterDns: readonly string[];
  clusterDomain: string;
  nodeIps: readonly string[];
  /** Whether a node like this should have a cluster DNS; without one, only a pod that asks for it by name is told. */
  expectsClusterDns: boolean;
}

export interface PodDns {
  config: DNSConfig;
  warnings: DnsWarning[];
}

/** Reads `nameserver`, `search` (the last line counts) and `options` (the last of a name counts) of a resolv.conf. */
export function parseResolvConf(text: string): DNSConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [keyword = '', ...words] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) servers.push(words[0]);
    // A domain with its dot and one without are the same, and the root alone is none.
    if (keyword === 'search')
      searches = words.flatMap((word) => (word === '.' ? [] : word.replace(/\.$/, '')));
    if (keyword === 'options') for (const word of words) options.set(optionName(word), word);
  }
  return { servers, searches, options: [...options.values()] };
}

const optionName = (option: string): string => option.split(':', 1)[0] ?? option;

const unique = (values: readonly string[]): string[] => [...new Set(values)];

/** The DNS settings of a pod by its dnsPolicy and dnsConfig. */
export function podDns(pod: AgentPod, node: NodeDns): PodDns {
  const warnings: DnsWarning[] = [];
  const config = base(pod, node, warnings);
  return { config: withinLimits(merged(config, pod.spec.dnsConfig), warnings), warnings };
}

function merged(config: DNSConfig, own: AgentPod['spec']['dnsConfig']): DNSConfig {
  if (own === undefined) return config;
  const options = new Map(config.options.map((option) => [optionName(option), option]));
  for (const { name = '', value } of own.options ?? []) options.set(name, value ? `${name}:${value}` : name);
  return {
    servers: unique([...config.servers, ...(own.nameservers ?? [])]),
    searches: unique([...config.searches, ...(own.searches ?? [])]),
    options: [...options.values()],
  };
}

function base(pod: AgentPod, node: NodeDns, warnings: DnsWarning[]): DNSConfig {
  const { dnsPolicy: policy = 'ClusterFirst', hostNetwork } = pod.spec;
  if (policy === 'None') return { servers: [], searches: [], options: [] };
  const isInCluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && hostNetwork !== true);
  if (!isInCluster) return hostDns(node);
  if (node.clusterDns.length === 0) {
    if (node.expectsClusterDns || policy === 'ClusterFirstWithHostNet') warnings.push(noClusterDns(pod));
    return hostDns(node);
  }
  const { clusterDomain: domain } = node;
  const own = domain === '' ? [] : [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return {
    servers: [...node.clusterDns],
    searches: unique([...own, ...parseResolvConf(node.resolvConf ?? '').searches]),
    options: ['ndots:5'],
  };
}

/** Without a resolv.conf: the resolver on the node, as resolvers take it where no address is given. */
function hostDns({ resolvConf, nodeIps }: NodeDns): DNSConfig {
  if (resolvConf !== undefined) return parseResolvConf(resolvConf);
  const servers = nodeIps.map((ip) => (isIPv6(ip) ? '::1' : '127.0.0.1'));
  return { servers: servers.length === 0 ? ['127.0.0.1'] : servers, searches: ['.'], options: [] };
}

function noClusterDns({ metadata: { name, namespace, uid } }: AgentPod): DnsWarning {
  const onNode =
    'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. ' +
    'Falling back to "Default" policy.';
  const message = `pod: "${name}_${namespace}(${uid})". ${onNode}`;
  return { reason: 'MissingClusterDNS', message, onNode };
}

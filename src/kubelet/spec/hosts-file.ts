/** The text of a pod's /etc/hosts, byte for byte as kubelet 1.36 writes it (kubelet_pods.go): tests look for it. */
import type { PodSpec } from '#lib/kube/types.ts';
import type { PodHostname } from './pod-hostname.ts';

export const HOSTS_PATH = '/etc/hosts';

type HostAliases = NonNullable<PodSpec['hostAliases']>;

const FIXED = [
  '# Kubernetes-managed hosts file.',
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];
const HOST_NETWORK = '# Kubernetes-managed hosts file (host network).\n';

/** For a pod with a network of its own. */
export function managedHosts(
  podIps: readonly string[],
  { hostname, domain }: PodHostname,
  aliases: HostAliases = [],
): string {
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  const lines = [...FIXED, ...podIps.map((ip) => `${ip}\t${names}`)];
  return `${lines.join('\n')}\n${aliasLines(aliases)}`;
}

/** For a pod in the node's network: the node's own file, of whatever bytes, and the pod's aliases. */
export const hostNetworkHosts = (nodeHosts: Uint8Array, aliases: HostAliases = []): Buffer =>
  Buffer.concat([Buffer.from(HOST_NETWORK), nodeHosts, Buffer.from(aliasLines(aliases))]);

function aliasLines(aliases: HostAliases): string {
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`);
  return `\n# Entries added by HostAliases.\n${lines.join('')}`;
}

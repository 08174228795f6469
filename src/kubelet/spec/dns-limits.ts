/** What of a resolv.conf a pod can be given (MaxDNSNameservers and what follows it in validation of 1.36). */
import type { DNSConfig } from '#cri/types.ts';

const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
/** Some resolvers end the program over a longer one. */
const MAX_DOMAIN = 253;

/** What was left out or replaced, for a Warning event about the pod, and one about the node where that is at fault. */
export interface DnsWarning {
  reason: 'DNSConfigForming' | 'MissingClusterDNS';
  message: string;
  onNode?: string;
}

export function withinLimits(config: DNSConfig, warnings: DnsWarning[]): DNSConfig {
  const warn = (message: string): void => void warnings.push({ reason: 'DNSConfigForming', message });
  const servers = config.servers.slice(0, MAX_SERVERS);
  if (servers.length < config.servers.length) {
    warn(
      'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ' +
        servers.join(' '),
    );
  }
  const searches = config.searches.slice(0, MAX_SEARCHES).filter((domain) => domain.length <= MAX_DOMAIN);
  while (searches.join(' ').length > MAX_SEARCH_CHARACTERS) searches.pop();
  if (searches.length < config.searches.length) {
    warn(
      'Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ' +
        searches.join(' '),
    );
  }
  return { ...config, servers, searches };
}

/** Why the node's own search domains will not all reach the pods; undefined where they will. `path` is for people. */
export function searchProblem(
  searches: readonly string[],
  path: string,
  clusterDomain: string,
): string | undefined {
  // Three are the cluster's own.
  const most = clusterDomain === '' ? MAX_SEARCHES : MAX_SEARCHES - 3;
  if (searches.length > most)
    return `Resolv.conf file '${path}' contains search line consisting of more than ${most} domains!`;
  if (searches.some((domain) => domain.length > MAX_DOMAIN))
    return `Resolv.conf file "${path}" contains a search path which length is more than allowed ${MAX_DOMAIN} chars!`;
  if (searches.join(' ').length > MAX_SEARCH_CHARACTERS)
    return `Resolv.conf file '${path}' contains search line which length is more than allowed ${MAX_SEARCH_CHARACTERS} chars!`;
  return undefined;
}

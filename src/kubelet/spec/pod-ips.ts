const isIpv6 = (ip: string): boolean => ip.includes(':');

/** The first address of the node's own family, then the first of the other: what a pod's status and variables show. */
export function onePerFamily(ips: readonly string[], hostIps: readonly string[]): string[] {
  const ipv6First = isIpv6(hostIps[0] ?? '');
  return [ipv6First, !ipv6First].flatMap((ipv6) => ips.find((ip) => isIpv6(ip) === ipv6) ?? []);
}

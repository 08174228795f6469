import type { Node } from '#lib/kube/types.ts';
import { isIP, SocketAddress } from 'node:net';
import type { CheckedPair } from './key-pair.ts';
import type { CertificateOrder } from './signing.ts';
import type { CertificateSubject } from './x509-work.ts';

export type NodeAddress = NonNullable<NonNullable<Node['status']>['addresses']>[number];

/**
 * What a node with these addresses asks for, or undefined while they are too few: an IP address, or with
 * `allowDnsOnly` (feature gate AllowDNSOnlyNodeCSR) a name. In a stable order.
 */
export function servingOrder(
  nodeName: string,
  addresses: readonly NodeAddress[],
  allowDnsOnly: boolean,
): CertificateOrder | undefined {
  const dnsNames = new Set<string>();
  const ips = new Set<string>();
  for (const { type, address } of addresses) {
    const isName = type === 'Hostname' || type === 'ExternalDNS' || type === 'InternalDNS';
    const isAddress = type === 'Hostname' || type === 'ExternalIP' || type === 'InternalIP';
    if (isIP(address) !== 0 && isAddress) ips.add(plainIp(address));
    else if (isName && address !== '') dnsNames.add(address);
  }
  if (ips.size === 0 && !(allowDnsOnly && dnsNames.size > 0)) return undefined;
  return {
    signerName: 'kubernetes.io/kubelet-serving',
    usage: 'server auth',
    namePrefix: 'csr-',
    subject: {
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      dnsNames: [...dnsNames].sort(),
      ips: [...ips].sort(),
    },
  };
}

/** One text for one address. */
const plainIp = (address: string): string =>
  new SocketAddress({ address, family: isIP(address) === 6 ? 'ipv6' : 'ipv4' }).address;

/** Whether a certificate covers what is asked for; more than that doesn't matter. */
export function covers(pair: CheckedPair, wanted: CertificateSubject): boolean {
  const { leaf } = pair;
  return (
    leaf.commonName === wanted.commonName &&
    wanted.organizations.every((each) => leaf.organizations.includes(each)) &&
    wanted.dnsNames.every((name) => leaf.coversDns(name)) &&
    wanted.ips.every((ip) => leaf.coversIp(ip))
  );
}

/** Which addresses a node says it has (upstream's nodestatus.NodeAddress). */
import { isIP } from 'node:net';
import { defaultAddress, familyOf, isGlobalUnicast, localAddresses, lookupName } from '#host/addresses.ts';
import type { IpFamily } from '#host/addresses.ts';
import { UsageError } from '#lib/errors.ts';
import type { Node } from '#lib/kube/types.ts';
import type { NodeSettings } from './settings.ts';

export type NodeAddress = NonNullable<NonNullable<Node['status']>['addresses']>[number];
export type AddressSettings = Pick<NodeSettings, 'nodeName' | 'hostname' | 'nodeIps' | 'cloudProvider'>;

/** What the machine and its resolver say. */
export interface AddressFacts {
  /** Every address of the machine's interfaces. */
  local: ReadonlySet<string>;
  /** What the node's name resolves to; empty where it doesn't. */
  named: readonly string[];
  /** Of the default route's interface. */
  defaults: Readonly<Partial<Record<IpFamily, string>>>;
}

export const PROVIDED_NODE_IP = 'alpha.kubernetes.io/provided-node-ip';

const isUnspecified = (address: string): boolean => address === '0.0.0.0' || /^[0:]+$/.test(address);

/** Throws UsageError unless `nodeIps` is nothing, one address, or one of each family. */
export function validateNodeIps(nodeIps: readonly string[], field = 'flag --node-ip'): void {
  const refuse = (why: string): UsageError =>
    new UsageError(
      `${field}: ${JSON.stringify(nodeIps.join(','))} is not allowed: ${why}; allowed: one address, or one IPv4 and one ` +
        'IPv6 address',
    );
  for (const each of nodeIps) {
    if (isIP(each) === 0) throw refuse(`${JSON.stringify(each)} is no IP address`);
    if (nodeIps.length > 1 && isUnspecified(each)) throw refuse(`${each} stands alone or not at all`);
    if (!isUnspecified(each) && !isGlobalUnicast(each)) {
      throw refuse(`${each} is a loopback, link-local or multicast address`);
    }
  }
  if (nodeIps.length > 2 || (nodeIps.length === 2 && new Set(nodeIps.map(familyOf)).size < 2)) {
    throw refuse('it names more than one address of a family');
  }
}

/** The addresses of --node-ip that name one. */
const named = ({ nodeIps }: AddressSettings): readonly string[] =>
  nodeIps.filter((each) => !isUnspecified(each));

/** The value of the annotation that tells a cloud provider of --node-ip; undefined: it must not be there. */
export function providedNodeIp(settings: AddressSettings): string | undefined {
  const addresses = named(settings);
  return settings.cloudProvider === 'external' && addresses.length > 0 ? addresses.join(',') : undefined;
}

export type AddressChoice = { addresses: NodeAddress[] } | { trouble: string };

/**
 * The node's addresses: --node-ip, else the host name if it is an address, else what the node's name resolves to, else
 * the default route's. With an external cloud provider, what the object has already stays.
 */
export function chooseAddresses(
  settings: AddressSettings,
  facts: AddressFacts,
  before: readonly NodeAddress[] = [],
): AddressChoice {
  const { hostname, nodeName, cloudProvider, nodeIps } = settings;
  const given = named(settings);
  const foreign = given.find((each) => !facts.local.has(each));
  if (foreign !== undefined) {
    return { trouble: `--node-ip ${foreign} is not an address of this machine's interfaces` };
  }
  const all = (...addresses: readonly string[]): AddressChoice => ({
    addresses: [
      ...addresses.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: hostname },
    ],
  });
  if (cloudProvider === 'external') {
    if (before.length > 0) return { addresses: [...before] };
    if (nodeIps.length === 0) return all();
  }
  if (given.length > 0) return all(...given);
  if (isIP(hostname) !== 0) return all(hostname);

  const preferred = familyOf(nodeIps[0] ?? '0.0.0.0');
  const usable = facts.named.filter((each) => isGlobalUnicast(each) && facts.local.has(each));
  const other = preferred === 'IPv4' ? 'IPv6' : 'IPv4';
  const found =
    usable.find((each) => familyOf(each) === preferred) ??
    usable[0] ??
    facts.defaults[preferred] ??
    facts.defaults[other];
  if (found !== undefined) return all(found);
  return {
    trouble:
      `no address of node ${nodeName} is known: its name does not resolve to one of this machine's addresses and there ` +
      'is no default route; set --node-ip',
  };
}

/** What the machine says now; the resolver is somebody else's and is asked apart. */
export async function readAddressFacts(resolved: readonly string[]): Promise<AddressFacts> {
  const [ipv4, ipv6] = await Promise.all([defaultAddress('IPv4'), defaultAddress('IPv6')]);
  return {
    local: new Set(localAddresses().map(({ address }) => address)),
    named: resolved,
    defaults: {
      ...(ipv4 === undefined ? {} : { IPv4: ipv4 }),
      ...(ipv6 === undefined ? {} : { IPv6: ipv6 }),
    },
  };
}

export const resolveNodeName = lookupName;

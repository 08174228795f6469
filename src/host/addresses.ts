import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { readText } from './files.ts';

export type IpFamily = 'IPv4' | 'IPv6';

/** One default route's interface. */
export interface DefaultRoute {
  family: IpFamily;
  interfaceName: string;
  metric: number;
}

const RTF_UP = 1;
const RTF_REJECT = 0x200;

/** The default routes of /proc/net/route. */
export function parseIpv4Routes(text: string): DefaultRoute[] {
  return text
    .split('\n')
    .slice(1)
    .map((row) => row.split('\t'))
    .filter(
      (columns) =>
        columns[1] === '00000000' &&
        columns[7]?.trim() === '00000000' &&
        (Number.parseInt(columns[3] ?? '0', 16) & (RTF_UP | RTF_REJECT)) === RTF_UP,
    )
    .map((columns) => ({ family: 'IPv4', interfaceName: columns[0] ?? '', metric: Number(columns[6]) }));
}

/** The default routes of /proc/net/ipv6_route. */
export function parseIpv6Routes(text: string): DefaultRoute[] {
  return text
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(
      (columns) =>
        columns.length >= 10 &&
        /^0{32}$/.test(columns[0] ?? '') &&
        columns[1] === '00' &&
        (Number.parseInt(columns[8] ?? '0', 16) & (RTF_UP | RTF_REJECT)) === RTF_UP &&
        columns[9] !== 'lo',
    )
    .map((columns) => ({
      family: 'IPv6',
      interfaceName: columns[9] ?? '',
      metric: Number.parseInt(columns[5] ?? '0', 16),
    }));
}

async function defaultRoutes(family: IpFamily): Promise<DefaultRoute[]> {
  const routes =
    family === 'IPv4'
      ? parseIpv4Routes((await readText('/proc/net/route')) ?? '')
      : parseIpv6Routes((await readText('/proc/net/ipv6_route')) ?? '');
  return routes.sort((a, b) => a.metric - b.metric);
}

const unusable = new BlockList();
unusable.addSubnet('127.0.0.0', 8, 'ipv4');
unusable.addSubnet('169.254.0.0', 16, 'ipv4');
unusable.addSubnet('224.0.0.0', 4, 'ipv4');
unusable.addAddress('0.0.0.0', 'ipv4');
unusable.addAddress('255.255.255.255', 'ipv4');
unusable.addAddress('::', 'ipv6');
unusable.addAddress('::1', 'ipv6');
unusable.addSubnet('fe80::', 10, 'ipv6');
unusable.addSubnet('ff00::', 8, 'ipv6');

/** Whether others can reach a machine by it: not loopback, link-local, multicast or unspecified. */
export function isGlobalUnicast(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && !unusable.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

export const familyOf = (address: string): IpFamily => (isIPv6(address) ? 'IPv6' : 'IPv4');

interface LocalAddress {
  address: string;
  family: IpFamily;
  interfaceName: string;
  internal: boolean;
}

/** The addresses of the interfaces that are up, in the kernel's order. */
export function localAddresses(): LocalAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([interfaceName, addresses]) =>
    (addresses ?? []).map(({ address, family, internal }) => ({ address, family, interfaceName, internal })),
  );
}

/**
 * The machine's own address of that family as others reach it: of the interface with the default route, or else (a
 * routing daemon's set-up) a global one of the loopback interface. Undefined without a default route.
 */
export async function defaultAddress(family: IpFamily): Promise<string | undefined> {
  const usable = localAddresses().filter((each) => each.family === family && isGlobalUnicast(each.address));
  for (const { interfaceName } of await defaultRoutes(family)) {
    const found =
      usable.find((each) => each.interfaceName === interfaceName) ?? usable.find(({ internal }) => internal);
    if (found !== undefined) return found.address;
  }
  return undefined;
}

/**
 * The machine's own addresses as others reach it, IPv4 first, at most one of each family: those of the interface
 * with the default route, or else of the first interface that has any. Never loopback or link-local.
 */
export async function nodeAddresses(): Promise<string[]> {
  const first = (family: IpFamily): string | undefined =>
    localAddresses().find((each) => each.family === family && !each.internal && isGlobalUnicast(each.address))
      ?.address;
  const found = await Promise.all(
    (['IPv4', 'IPv6'] as const).map(async (family) => (await defaultAddress(family)) ?? first(family)),
  );
  return found.filter((address) => address !== undefined);
}

/**
 * The addresses that the system's resolver has for a name (files first, then DNS); empty where it has none. No
 * deadline of its own: the resolver's call can't be cut short.
 */
export async function lookupName(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true, order: 'ipv4first' })).map(({ address }) => address);
  } catch {
    return [];
  }
}

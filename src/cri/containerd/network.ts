import { join } from 'node:path';

export interface BridgeNetwork {
  /** Of the CNI network: in file names, iptables comments and the folder of reservations. */
  name: string;
  bridge: string;
  /** IPv4, `10.87.0.0/16`. */
  range: string;
  /** Where host-local keeps what it reserved: `DIR/NAME/ADDRESS`. */
  reservations: string;
  /** Whether forwarded packets need rules that let them through (the machine drops them otherwise). */
  openFirewall?: boolean;
}

/**
 * The CNI configuration list: a bridge with its own range, host ports and loopback's link. NAT to the outside is not the
 * plugin's (masquerade.ts).
 */
export function renderConflist(network: BridgeNetwork): string {
  const list = {
    cniVersion: '0.4.0',
    name: network.name,
    plugins: [
      {
        type: 'bridge',
        bridge: network.bridge,
        isGateway: true,
        ipMasq: false,
        // A pod that calls a service it backs itself meets its own packets again on the bridge.
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: network.reservations,
          ranges: [[{ subnet: network.range }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
      ...(network.openFirewall === true ? [{ type: 'firewall', backend: 'iptables' }] : []),
    ],
  };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** The pods' range in a configuration list that was written earlier; undefined where it holds none. */
export function rangeOfConflist(text: string): string | undefined {
  return /"subnet":\s*"([0-9./]+)"/.exec(text)?.[1];
}

export const conflistPath = (dir: string, network: Pick<BridgeNetwork, 'name'>): string =>
  join(dir, `10-${network.name}.conflist`);

import { hostname } from 'node:os';
import { parseAddress, type Address } from './addresses.ts';
import { logOptions, nodeNameOf, type LogOptions } from './agent-options.ts';
import { parseDaemonFlags } from './daemon-flags.ts';
import type { FeatureGates } from './feature-gates/feature-gates.ts';
import { kubeProxyFlags } from './flags/kube-proxy-flags.ts';
import type { Flags } from './flags/values.ts';
import { kubeProxyConfigurationKind } from './kube-proxy-configuration/fields.ts';
import {
  clusterCidrs,
  loadKubeProxyConfiguration,
  proxySection,
  type KubeProxyConfiguration,
} from './kube-proxy-configuration/load.ts';
import type { Json } from './schema/field.ts';
import type { Settings } from './schema/settings.ts';

/** How traffic of this node's pods is told from other traffic. */
export type DetectLocal =
  /** Empty: not at all. */
  | { mode: 'ClusterCIDR'; cidrs: readonly string[] }
  | { mode: 'NodeCIDR' }
  | { mode: 'BridgeInterface'; bridge: string }
  | { mode: 'InterfaceNamePrefix'; prefix: string };

export interface ConntrackOptions {
  /** 0: the limit stays as it is. */
  maxPerCore: number;
  min: number;
  /** Of each time-out, 0: it stays as it is. */
  tcpEstablishedTimeoutMs: number;
  tcpCloseWaitTimeoutMs: number;
  udpTimeoutMs: number;
  udpStreamTimeoutMs: number;
  tcpBeLiberal: boolean;
}

/** The proxy role. Immutable; durations are milliseconds. */
export interface KubeProxyOptions {
  nodeName: string;
  /** undefined: none is named; inside a pod, the pod's own credentials. */
  kubeconfig: string | undefined;
  /** Address of the API server, over the kubeconfig's. */
  master: string | undefined;
  /** As asked for; `ipvs` is made with iptables rules. */
  mode: 'iptables' | 'ipvs' | 'nftables';
  /** The node's primary address; undefined: find out. */
  nodeIp: string | undefined;
  preferredFamily: 4 | 6;
  /** undefined: not served. */
  healthz: (Address & { port: number }) | undefined;
  metrics: (Address & { port: number }) | undefined;
  bindAddressHardFail: boolean;
  profiling: boolean;
  masqueradeAll: boolean;
  masqueradeBit: number;
  localhostNodePorts: boolean;
  syncPeriodMs: number;
  minSyncPeriodMs: number;
  detectLocal: DetectLocal;
  /** Ranges, `primary`, or nothing: all addresses. */
  nodePortAddresses: readonly string[];
  conntrack: ConntrackOptions;
  oomScoreAdj: number;
  featureGates: FeatureGates;
  /** Remove the proxy's rules and end. */
  cleanup: boolean;
  /** Do what needs full privileges and end. */
  initOnly: boolean;
  /** Write the configuration there and end. */
  writeConfigTo: string | undefined;
  log: LogOptions;
  /** The whole KubeProxyConfiguration as /configz shows it. */
  configuration: Readonly<Record<string, Json>>;
  warnings: readonly string[];
}

export type KubeProxyCommand =
  | { kind: 'run'; options: KubeProxyOptions }
  | { kind: 'help' }
  | { kind: 'version'; raw: boolean };

function detectLocal(settings: Settings): DetectLocal {
  const mode = settings.string('detectLocalMode');
  switch (mode) {
    case 'NodeCIDR':
      return { mode };
    case 'BridgeInterface':
      return { mode, bridge: settings.string('detectLocal.bridgeInterface') };
    case 'InterfaceNamePrefix':
      return { mode, prefix: settings.string('detectLocal.interfaceNamePrefix') };
    default:
      return { mode: 'ClusterCIDR', cidrs: clusterCidrs(settings) };
  }
}

function served(settings: Settings, path: string): (Address & { port: number }) | undefined {
  const address = parseAddress(settings.string(path));
  return address === undefined ? undefined : { ip: address.ip, port: address.port ?? 0 };
}

function conntrack(settings: Settings): ConntrackOptions {
  return {
    maxPerCore: settings.number('conntrack.maxPerCore'),
    min: settings.number('conntrack.min'),
    tcpEstablishedTimeoutMs: settings.ms('conntrack.tcpEstablishedTimeout'),
    tcpCloseWaitTimeoutMs: settings.ms('conntrack.tcpCloseWaitTimeout'),
    udpTimeoutMs: settings.ms('conntrack.udpTimeout'),
    udpStreamTimeoutMs: settings.ms('conntrack.udpStreamTimeout'),
    tcpBeLiberal: settings.bool('conntrack.tcpBeLiberal'),
  };
}

const given = (flags: Flags, name: string): string | undefined => {
  const value = flags.string(name);
  return value === '' ? undefined : value;
};

/** nftables' node ports answer on the primary address unless ranges are named, as upstream. */
function nodePortAddresses(settings: Settings): readonly string[] {
  const list = settings.list('nodePortAddresses');
  return list.length === 0 && proxySection(settings) === 'nftables' ? ['primary'] : list;
}

function optionsOf(
  flags: Flags,
  { settings, gates, warnings }: KubeProxyConfiguration,
  flagWarnings: readonly string[],
  host: string,
): KubeProxyOptions {
  const section = proxySection(settings);
  const bind = settings.string('bindAddress');
  const ipvs = 'mode ipvs is not built: its services are made with iptables rules';
  return {
    nodeName: nodeNameOf(settings.string('hostnameOverride'), host),
    kubeconfig: settings.stringOrUndefined('clientConnection.kubeconfig'),
    master: given(flags, 'master'),
    mode: section,
    nodeIp: ['0.0.0.0', '::'].includes(bind) ? undefined : bind,
    preferredFamily: bind.includes(':') ? 6 : 4,
    healthz: served(settings, 'healthzBindAddress'),
    metrics: served(settings, 'metricsBindAddress'),
    bindAddressHardFail: settings.bool('bindAddressHardFail'),
    profiling: settings.bool('enableProfiling'),
    masqueradeAll: settings.bool(`${section === 'nftables' ? section : 'iptables'}.masqueradeAll`),
    masqueradeBit: settings.number(`${section === 'nftables' ? section : 'iptables'}.masqueradeBit`),
    localhostNodePorts: settings.bool('iptables.localhostNodePorts'),
    syncPeriodMs: settings.ms(`${section}.syncPeriod`),
    minSyncPeriodMs: settings.ms(`${section}.minSyncPeriod`),
    detectLocal: detectLocal(settings),
    nodePortAddresses: nodePortAddresses(settings),
    conntrack: conntrack(settings),
    oomScoreAdj: settings.number('oomScoreAdj'),
    featureGates: gates,
    cleanup: flags.bool('cleanup') ?? false,
    initOnly: flags.bool('init-only') ?? false,
    writeConfigTo: given(flags, 'write-config-to'),
    log: logOptions(settings),
    configuration: { ...kubeProxyConfigurationKind, ...settings.effective() },
    warnings: [...flagWarnings, ...warnings, ...(section === 'ipvs' ? [ipvs] : [])],
  };
}

/**
 * The options of parsed flags. `file` is the proxy's configuration; `except` names flags that are another role's.
 */
export async function kubeProxyOptions(
  flags: Flags,
  file: string | undefined,
  flagWarnings: readonly string[],
  host: string,
  except: readonly string[] = [],
): Promise<KubeProxyOptions> {
  return optionsOf(flags, await loadKubeProxyConfiguration(flags, file, except), flagWarnings, host);
}

export async function parseKubeProxy(
  args: readonly string[],
  host: string = hostname(),
): Promise<KubeProxyCommand> {
  const { flags, warnings } = parseDaemonFlags(kubeProxyFlags, args);
  if (flags.bool('help') === true) return { kind: 'help' };
  const version = flags.string('version') ?? 'false';
  if (version !== 'false') return { kind: 'version', raw: version === 'raw' };
  return { kind: 'run', options: await kubeProxyOptions(flags, given(flags, 'config'), warnings, host) };
}

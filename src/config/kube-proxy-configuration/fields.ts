import { isCidr, parseAddress } from '../addresses.ts';
import { loggingFields } from '../kubelet-configuration/fields-observability.ts';
import { fieldTable, type FieldSpec, type Json } from '../schema/field.ts';

const notNegative = { min: 0 };
const orDefault = { zeroIsUnset: true };
const bit = { min: 0, max: 31 };

const cidrs = (value: Json): string | undefined =>
  (value as readonly string[]).every(isCidr) ? undefined : "ranges such as '10.0.0.0/16'";

/** `IP:PORT`, with a port that can be bound. */
const bindable = (value: Json): string | undefined =>
  parseAddress(value as string)?.port === 0 ? 'a port from 1 to 65535' : undefined;

const common = fieldTable('works', [
  ['featureGates', 'gates', undefined, 'Features to switch on or off.', { flag: 'feature-gates' }],
  [
    'clientConnection.kubeconfig',
    'path',
    undefined,
    'How to reach the API server, with credentials that may read Services and EndpointSlices.',
    { flag: 'kubeconfig' },
  ],
  [
    'hostnameOverride',
    'string',
    undefined,
    'The name of the node; absent: the host name.',
    { flag: 'hostname-override' },
  ],
  [
    'bindAddress',
    'ip',
    '0.0.0.0',
    'The node’s primary address, and by its family the one of services; 0.0.0.0 or ::: find out.',
    { flag: 'bind-address', ...orDefault },
  ],
  [
    'healthzBindAddress',
    'address',
    undefined,
    'Where the proxy’s healthz is served; absent: 0.0.0.0:10256, or [::]:10256 where bindAddress is IPv6.',
    { flag: 'healthz-bind-address', check: bindable },
  ],
  [
    'metricsBindAddress',
    'address',
    undefined,
    'Where the proxy’s metrics are served; absent: 127.0.0.1:10249, or [::1]:10249.',
    { flag: 'metrics-bind-address', check: bindable },
  ],
  [
    'bindAddressHardFail',
    'bool',
    false,
    'End when such an address can’t be bound.',
    { flag: 'bind-address-hard-fail' },
  ],
  [
    'mode',
    'string',
    'iptables',
    'How rules are made: iptables or nftables. Instead of ipvs, nodelet makes iptables rules.',
    { flag: 'proxy-mode', oneOf: ['', 'iptables', 'ipvs', 'nftables'], ...orDefault },
  ],
  [
    'iptables.masqueradeBit',
    'int',
    14,
    'Bit of the mark that asks for masquerading.',
    { flag: 'iptables-masquerade-bit', ...bit },
  ],
  [
    'iptables.masqueradeAll',
    'bool',
    false,
    'Masquerade all that goes to service addresses.',
    { flag: 'masquerade-all' },
  ],
  [
    'iptables.localhostNodePorts',
    'bool',
    true,
    'Whether node ports answer on 127.0.0.1.',
    { flag: 'iptables-localhost-nodeports' },
  ],
  [
    'iptables.syncPeriod',
    'duration',
    '30s',
    'How often rules are looked at even without a change.',
    { flag: 'iptables-sync-period', min: 1, ...orDefault },
  ],
  [
    'iptables.minSyncPeriod',
    'duration',
    '1s',
    'Least time between two writes of rules; as a flag 0: none.',
    { flag: 'iptables-min-sync-period', ...notNegative, ...orDefault },
  ],
  ['nftables.masqueradeBit', 'int', 14, 'As with iptables.', bit],
  ['nftables.masqueradeAll', 'bool', false, 'As with iptables.'],
  ['nftables.syncPeriod', 'duration', '30s', 'As with iptables.', { min: 1, ...orDefault }],
  ['nftables.minSyncPeriod', 'duration', '1s', 'As with iptables.', { ...notNegative, ...orDefault }],
  [
    'detectLocalMode',
    'string',
    'ClusterCIDR',
    'How traffic of pods of this node is told.',
    {
      flag: 'detect-local-mode',
      oneOf: ['', 'ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'],
      ...orDefault,
    },
  ],
  [
    'detectLocal.bridgeInterface',
    'string',
    undefined,
    'The bridge of pods, with BridgeInterface.',
    { flag: 'pod-bridge-interface' },
  ],
  [
    'detectLocal.interfaceNamePrefix',
    'string',
    undefined,
    'How interfaces of pods begin, with InterfaceNamePrefix.',
    { flag: 'pod-interface-name-prefix' },
  ],
  [
    'clusterCIDR',
    'string',
    undefined,
    'Range of pods’ addresses in the cluster, or one of each family.',
    { flag: 'cluster-cidr' },
  ],
  [
    'nodePortAddresses',
    'list',
    undefined,
    'Ranges of the node’s addresses that node ports answer on, or primary; absent: all.',
    { flag: 'nodeport-addresses' },
  ],
  [
    'conntrack.maxPerCore',
    'int',
    32_768,
    'Connections tracked for each core; 0: as it is.',
    { flag: 'conntrack-max-per-core', ...notNegative },
  ],
  [
    'conntrack.min',
    'int',
    131_072,
    'Connections tracked at least.',
    { flag: 'conntrack-min', ...notNegative },
  ],
  [
    'conntrack.tcpEstablishedTimeout',
    'duration',
    '24h0m0s',
    'How long an idle connection is tracked; 0: as it is.',
    { flag: 'conntrack-tcp-timeout-established', ...notNegative },
  ],
  [
    'conntrack.tcpCloseWaitTimeout',
    'duration',
    '1h0m0s',
    'How long a half-closed connection is tracked; 0: as it is.',
    { flag: 'conntrack-tcp-timeout-close-wait', ...notNegative },
  ],
  [
    'conntrack.tcpBeLiberal',
    'bool',
    false,
    'Take packets outside the window too.',
    { flag: 'conntrack-tcp-be-liberal' },
  ],
  [
    'conntrack.udpTimeout',
    'duration',
    '0s',
    'How long unanswered UDP is tracked; 0: as it is.',
    { flag: 'conntrack-udp-timeout', ...notNegative },
  ],
  [
    'conntrack.udpStreamTimeout',
    'duration',
    '0s',
    'How long answered UDP is tracked; 0: as it is.',
    { flag: 'conntrack-udp-timeout-stream', ...notNegative },
  ],
  [
    'oomScoreAdj',
    'int',
    -999,
    'The proxy’s own OOM score.',
    { flag: 'oom-score-adj', min: -1000, max: 1000 },
  ],
]);

const others = fieldTable('warned', [
  [
    'clientConnection.acceptContentTypes',
    'string',
    undefined,
    'Encodings of answers; nodelet’s is always JSON.',
  ],
  [
    'clientConnection.contentType',
    'string',
    'application/json',
    'Encoding of requests; nodelet’s is always JSON.',
    { flag: 'kube-api-content-type', ...orDefault },
  ],
  [
    'clientConnection.qps',
    'number',
    5,
    'Requests to the API server a second.',
    { flag: 'kube-api-qps', ...orDefault },
  ],
  [
    'clientConnection.burst',
    'int',
    10,
    'Requests to the API server at once.',
    { flag: 'kube-api-burst', ...notNegative, ...orDefault },
  ],
  ['enableProfiling', 'bool', false, 'Serve profiles.', { flag: 'profiling' }],
  [
    'showHiddenMetricsForVersion',
    'string',
    undefined,
    'Version whose hidden metrics are shown.',
    { flag: 'show-hidden-metrics-for-version', oneOf: ['', '1.35'] },
  ],
  [
    'configSyncPeriod',
    'duration',
    '15m0s',
    'How often everything is listed again; nodelet watches.',
    { flag: 'config-sync-period', min: 1, ...orDefault },
  ],
  ['portRange', 'string', undefined, 'Without effect upstream too.'],
  ['windowsRunAsService', 'bool', false, 'Windows only.'],
  [
    'ipvs.syncPeriod',
    'duration',
    '30s',
    'As with iptables.',
    { flag: 'ipvs-sync-period', min: 1, ...orDefault },
  ],
  [
    'ipvs.minSyncPeriod',
    'duration',
    '0s',
    'As with iptables.',
    { flag: 'ipvs-min-sync-period', ...notNegative },
  ],
  ['ipvs.scheduler', 'string', undefined, 'How IPVS chooses an endpoint.', { flag: 'ipvs-scheduler' }],
  [
    'ipvs.excludeCIDRs',
    'list',
    undefined,
    'Addresses that IPVS leaves alone.',
    { flag: 'ipvs-exclude-cidrs', check: cidrs },
  ],
  ['ipvs.strictARP', 'bool', false, 'Answer ARP strictly.', { flag: 'ipvs-strict-arp' }],
  [
    'ipvs.tcpTimeout',
    'duration',
    '0s',
    'How long an idle connection holds.',
    { flag: 'ipvs-tcp-timeout', ...notNegative },
  ],
  [
    'ipvs.tcpFinTimeout',
    'duration',
    '0s',
    'How long a closing connection holds.',
    { flag: 'ipvs-tcpfin-timeout', ...notNegative },
  ],
  ['ipvs.udpTimeout', 'duration', '0s', 'How long UDP holds.', { flag: 'ipvs-udp-timeout', ...notNegative }],
  ['winkernel.networkName', 'string', undefined, 'Windows only.'],
  ['winkernel.sourceVip', 'string', undefined, 'Windows only.'],
  ['winkernel.enableDSR', 'bool', false, 'Windows only.'],
  ['winkernel.rootHnsEndpointName', 'string', undefined, 'Windows only.'],
  ['winkernel.forwardHealthCheckVip', 'bool', false, 'Windows only.'],
]);

/** Every field of KubeProxyConfiguration v1alpha1 as of 1.36. */
export const kubeProxyFields: readonly FieldSpec[] = [...common, ...others, ...loggingFields];

export const kubeProxyConfigurationKind = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
} as const;

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { parseKubeProxy, type KubeProxyOptions } from './kube-proxy-options.ts';
import { parseRun, type RunOptions } from './run-options.ts';
import { ConfigFolder } from './testing/files.ts';

let folder: ConfigFolder;
beforeEach(async () => {
  folder = await ConfigFolder.make();
});
afterEach(() => folder.remove());

async function options(...args: string[]): Promise<KubeProxyOptions> {
  const command = await parseKubeProxy(args, 'Node');
  if (command.kind !== 'run') throw new Error(command.kind);
  return command.options;
}

async function of(text: string, ...args: string[]): Promise<KubeProxyOptions> {
  return options(`--config=${await folder.proxy('config.conf', text)}`, ...args);
}

async function both(...args: string[]): Promise<RunOptions> {
  const command = await parseRun(args, 'node');
  if (command.kind !== 'run') throw new Error(command.kind);
  return command.options;
}

const defaults = {
  nodeName: 'node',
  mode: 'iptables',
  nodeIp: undefined,
  healthz: { ip: '0.0.0.0', port: 10_256 },
  metrics: { ip: '127.0.0.1', port: 10_249 },
  masqueradeAll: false,
  masqueradeBit: 14,
  localhostNodePorts: true,
  syncPeriodMs: 30_000,
  minSyncPeriodMs: 1000,
  detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
  nodePortAddresses: [],
  conntrack: {
    maxPerCore: 32_768,
    min: 131_072,
    tcpEstablishedTimeoutMs: 86_400_000,
    tcpCloseWaitTimeoutMs: 3_600_000,
    udpTimeoutMs: 0,
    udpStreamTimeoutMs: 0,
    tcpBeLiberal: false,
  },
  oomScoreAdj: -999,
  warnings: [],
};

/** What kubeadm writes into the ConfigMap kube-proxy. */
const kubeadm = `
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal: {bridgeInterface: "", interfaceNamePrefix: ""}
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
logging:
  flushFrequency: 0
  options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables: {masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel: {enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: ""}
`;

describe('kube-proxy', () => {
  test('defaults', async () => {
    expect(await options()).toMatchObject(defaults);
  });

  test('kubeadm’s file is the defaults', async () => {
    expect(await of(kubeadm)).toMatchObject({
      ...defaults,
      kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf',
      detectLocal: { mode: 'ClusterCIDR', cidrs: ['10.244.0.0/16'] },
    });
  });

  test('beside a file flags of its fields are ignored, and named', async () => {
    const given = await of(
      'iptables: {masqueradeAll: true}\n',
      '--hostname-override=Other',
      '-v=4',
      '--proxy-mode=nftables',
      '--cluster-cidr=10.0.0.0/8',
      '--master=https://x',
    );
    expect(given).toMatchObject({
      nodeName: 'other',
      log: { level: 'debug' },
      mode: 'iptables',
      masqueradeAll: true,
      detectLocal: { cidrs: [] },
      master: 'https://x',
    });
    expect(given.warnings).toEqual([
      'flag --proxy-mode has no effect beside a configuration file of the proxy',
      'flag --cluster-cidr has no effect beside a configuration file of the proxy',
    ]);
  });

  test.each<[string[], object]>([
    [
      ['--bind-address=fd00::1'],
      { nodeIp: 'fd00::1', preferredFamily: 6, healthz: { ip: '::', port: 10_256 } },
    ],
    [['--bind-address=::'], { nodeIp: undefined, metrics: { ip: '::1', port: 10_249 } }],
    [['--healthz-bind-address=10.0.0.1'], { healthz: { ip: '10.0.0.1', port: 10_256 } }],
    [['--healthz-bind-address=10.0.0.1', '--healthz-port=9'], { healthz: { ip: '10.0.0.1', port: 9 } }],
    [['--healthz-bind-address=10.0.0.1:7', '--healthz-port=9'], { healthz: { ip: '10.0.0.1', port: 7 } }],
    [['--healthz-port=0', '--metrics-port=0'], { healthz: undefined, metrics: undefined }],
    [['--metrics-bind-address='], { metrics: undefined }],
    [['--metrics-bind-address=[::]:1'], { metrics: { ip: '::', port: 1 } }],
    [['--proxy-mode=nftables'], { mode: 'nftables', nodePortAddresses: ['primary'] }],
    [['--cluster-cidr=10.0.0.0/8,fd00::/64'], { detectLocal: { cidrs: ['10.0.0.0/8', 'fd00::/64'] } }],
    [['--detect-local-mode=NodeCIDR'], { detectLocal: { mode: 'NodeCIDR' } }],
    [
      ['--detect-local-mode=BridgeInterface', '--pod-bridge-interface=cni0'],
      { detectLocal: { mode: 'BridgeInterface', bridge: 'cni0' } },
    ],
    [
      ['--iptables-sync-period=1m', '--iptables-min-sync-period=0s'],
      { syncPeriodMs: 60_000, minSyncPeriodMs: 0 },
    ],
    [
      ['--nodeport-addresses=10.0.0.0/8,192.168.0.0/16'],
      { nodePortAddresses: ['10.0.0.0/8', '192.168.0.0/16'] },
    ],
    [['--masquerade-all', '--iptables-masquerade-bit=3'], { masqueradeAll: true, masqueradeBit: 3 }],
    [['--cleanup'], { cleanup: true }],
    [['--init-only'], { initOnly: true }],
    [['--write-config-to=/x'], { writeConfigTo: '/x' }],
  ])('%j', async (args, expected) => {
    expect(await options(...args)).toMatchObject(expected);
  });

  test('what depends on the mode comes from its section', async () => {
    const text =
      'mode: nftables\nnftables: {masqueradeAll: true, masqueradeBit: 5, syncPeriod: 7s, minSyncPeriod: 2s}\n';
    expect(await of(text)).toMatchObject({
      masqueradeAll: true,
      masqueradeBit: 5,
      syncPeriodMs: 7000,
      minSyncPeriodMs: 2000,
    });
    const ipvs = await of('mode: ipvs\nipvs: {syncPeriod: 9s}\niptables: {masqueradeAll: true}\n');
    expect(ipvs).toMatchObject({ mode: 'ipvs', syncPeriodMs: 9000, minSyncPeriodMs: 0, masqueradeAll: true });
    expect(ipvs.warnings.join()).toContain('made with iptables rules');
  });

  test('warnings', async () => {
    const given = await options(
      '--cleanup-iptables',
      '--proxy-port-range=1-2',
      '--ipvs-scheduler=rr',
      '--profiling',
    );
    expect(new Set(given.warnings)).toEqual(
      new Set([
        'flag --ipvs-scheduler has no effect in this version of nodelet',
        'flag --profiling has no effect in this version of nodelet',
        'flag --cleanup-iptables was removed upstream and has no effect',
        'flag --proxy-port-range was removed upstream and has no effect',
      ]),
    );
  });

  test.each([
    ['mode: userspace', /allowed: '', iptables, ipvs, nftables/],
    ['iptables: {masqueradeBit: 32}', /from 0 to 31/],
    ['iptables: {syncPeriod: 1s, minSyncPeriod: 2s}', /at most iptables\.syncPeriod/],
    ['nodePortAddresses: [primary, 10.0.0.0/8]', /primary alone/],
    ['nodePortAddresses: [eth0]', /ranges such as/],
    ['detectLocalMode: BridgeInterface', /with detectLocal\.bridgeInterface only/],
    ['clusterCIDR: 10.0.0.0/8,10.1.0.0/16', /one of each family/],
    ['clusterCIDR: all', /field clusterCIDR: "all"/],
    ['healthzBindAddress: localhost:1', /an IP address, or one with a port/],
    ['metricsBindAddress: 10.0.0.1:0', /a port from 1 to 65535/],
    ['bindAddress: eth0', /allowed: an IP address/],
    ['conntrack: {min: -1}', /from 0 up/],
    ['conntrack: {udpTimeout: -1s}', /from 0 up ms/],
    ['oomScoreAdj: 2000', /from -1000 to 1000/],
    ['clientConnection: {burst: -1}', /clientConnection\.burst: -1/],
    ['featureGates: {Nope: true}', /no feature gate/],
    ['showHiddenMetricsForVersion: "1.20"', /allowed: '', 1\.35/],
  ])('%s', async (text, message) => {
    await expect(of(`${text}\n`)).rejects.toThrow(UsageError);
    await expect(of(`${text}\n`)).rejects.toThrow(message);
  });
});

describe('run', () => {
  test('shared flags are kubelet’s; the proxy has the node’s name and kubeconfig', async () => {
    const { kubelet, proxy } = await both(
      '--hostname-override=N1',
      '--kubeconfig=/k',
      '--healthz-bind-address=10.0.0.1',
      '--healthz-port=99',
      '--oom-score-adj=5',
      '--cluster-cidr=10.0.0.0/8',
      '--iptables-masquerade-bit=7',
      '--metrics-bind-address=0.0.0.0',
    );
    expect(kubelet).toMatchObject({
      nodeName: 'n1',
      server: { healthzAddress: '10.0.0.1', healthzPort: 99 },
      host: { oomScoreAdj: 5 },
      cluster: { kubeconfig: '/k' },
    });
    expect(proxy).toMatchObject({
      nodeName: 'n1',
      kubeconfig: '/k',
      healthz: { ip: '0.0.0.0', port: 10_256 },
      metrics: { ip: '0.0.0.0', port: 10_249 },
      oomScoreAdj: -999,
      masqueradeBit: 7,
      detectLocal: { cidrs: ['10.0.0.0/8'] },
    });
  });

  test('both files', async () => {
    const kubeletFile = await folder.kubelet('k.yaml', 'maxPods: 5\n');
    const proxyFile = await folder.proxy(
      'p.yaml',
      'clientConnection: {kubeconfig: p.conf}\nmode: nftables\n',
    );
    const { kubelet, proxy } = await both(
      `--config=${kubeletFile}`,
      `--proxy-config=${proxyFile}`,
      '--kubeconfig=/k',
    );
    expect(kubelet.maxPods).toBe(5);
    expect(proxy).toMatchObject({ mode: 'nftables', kubeconfig: `${folder.path}/p.conf`, warnings: [] });
  });

  test('another node’s name for the proxy would make every service foreign', async () => {
    const file = await folder.proxy('p.yaml', 'hostnameOverride: other\n');
    await expect(both(`--proxy-config=${file}`)).rejects.toThrow(/hostnameOverride: "other" is not allowed/);
  });

  test('--version', async () => {
    expect(await parseRun(['--version'])).toEqual({ kind: 'version', raw: false });
  });
});

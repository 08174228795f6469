import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { parseKubelet, type KubeletOptions } from '../kubelet-options.ts';
import { ConfigFolder } from '../testing/files.ts';

let folder: ConfigFolder;
beforeEach(async () => {
  folder = await ConfigFolder.make();
});
afterEach(() => folder.remove());

async function options(...args: string[]): Promise<KubeletOptions> {
  const command = await parseKubelet(args, 'node');
  if (command.kind !== 'run') throw new Error(command.kind);
  return command.options;
}

async function of(text: string, ...args: string[]): Promise<KubeletOptions> {
  return options(`--config=${await folder.kubelet('config.yaml', text)}`, ...args);
}

/** What kubeadm 1.36 writes to /var/lib/kubelet/config.yaml. */
const kubeadm = `
authentication:
  anonymous: {enabled: false}
  webhook: {cacheTTL: 0s, enabled: true}
  x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}
authorization:
  mode: Webhook
  webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}
cgroupDriver: systemd
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
cpuManagerReconcilePeriod: 0s
crashLoopBackOff: {}
evictionPressureTransitionPeriod: 0s
fileCheckFrequency: 0s
healthzBindAddress: 127.0.0.1
healthzPort: 10248
httpCheckFrequency: 0s
imageMaximumGCAge: 0s
imageMinimumGCAge: 0s
logging:
  flushFrequency: 0
  options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}
  verbosity: 0
memorySwap: {}
nodeStatusReportFrequency: 0s
nodeStatusUpdateFrequency: 0s
rotateCertificates: true
runtimeRequestTimeout: 0s
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
staticPodPath: /etc/kubernetes/manifests
streamingConnectionIdleTimeout: 0s
syncFrequency: 0s
volumeStatsAggPeriod: 0s
`;

describe('a configuration file', () => {
  test('as kubeadm writes it: zeros mean defaults', async () => {
    const given = await of(kubeadm, '--kubeconfig=/etc/kubernetes/kubelet.conf');
    expect(given).toMatchObject({
      podManifestPath: '/etc/kubernetes/manifests',
      cgroupDriver: 'systemd',
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      fileCheckFrequencyMs: 20_000,
      runtimeRequestTimeoutMs: 120_000,
      containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
      cluster: { rotateCertificates: true },
      node: { statusUpdateFrequencyMs: 10_000, statusReportFrequencyMs: 300_000 },
      server: {
        authentication: { clientCaFile: '/etc/kubernetes/pki/ca.crt', webhookCacheTtlMs: 120_000 },
        authorization: { mode: 'Webhook', authorizedTtlMs: 300_000, unauthorizedTtlMs: 30_000 },
      },
    });
    expect(given.warnings).toEqual([expect.stringContaining('authentication.x509.clientCAFile')]);
  });

  test('JSON', async () => {
    const text = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', maxPods: 7 };
    const path = await folder.write('c.json', JSON.stringify(text));
    expect((await options(`--config=${path}`)).maxPods).toBe(7);
  });

  test('an unknown field is a warning with its line and the nearest name', async () => {
    const given = await of('maxPods: 5\nmaxPodz: 6\nauthentication:\n  anonymus: {enabled: true}\n');
    expect(given.maxPods).toBe(5);
    expect(given.warnings).toEqual([
      `${folder.path}/config.yaml:4: field maxPodz is not known and has no effect; did you mean maxPods?`,
      `${folder.path}/config.yaml:6: field authentication.anonymus is not known and has no effect; did you mean authentication.anonymous?`,
    ]);
  });

  test('a field without effect is a warning, unless it is the default', async () => {
    const given = await of('cpuManagerPolicy: static\ntopologyManagerPolicy: none\nregistryPullQPS: 5\n');
    expect(given.warnings).toEqual([
      `${folder.path}/config.yaml:3: field cpuManagerPolicy: "static" has no effect in this version of nodelet`,
    ]);
  });

  test('relative paths are under the file’s folder', async () => {
    const given = await of('staticPodPath: manifests\nresolvConf: ../etc/resolv.conf\ntlsCertFile: ""\n');
    expect(given.podManifestPath).toBe(`${folder.path}/manifests`);
    expect(given.resolvConf).toMatch(/^\/.*\/etc\/resolv\.conf$/);
    expect(given.server.tls.certFile).toBeUndefined();
  });

  test('an empty resolvConf means none', async () => {
    expect((await of('resolvConf: ""\n')).resolvConf).toBeUndefined();
  });

  test('flags win; of feature gates, gate by gate', async () => {
    const given = await of(
      'maxPods: 5\nclusterDNS: [10.0.0.1]\nevictionHard: {memory.available: 1Gi}\n' +
        'featureGates: {ContainerCheckpoint: false, EnvFiles: false}\nregisterNode: false\nseccompDefault: true\n',
      '--max-pods=6',
      '--cluster-dns=10.0.0.2',
      '--eviction-hard=nodefs.available<5%',
      '--feature-gates=EnvFiles=true',
      '--register-node',
      '--seccomp-default=false',
    );
    expect(given).toMatchObject({
      maxPods: 6,
      clusterDns: ['10.0.0.2'],
      node: { register: true },
      seccompDefault: true,
    });
    expect(given.eviction.thresholds.map(({ signal }) => signal)).toEqual(['nodefs.available']);
    expect(given.featureGates.set).toEqual({ ContainerCheckpoint: false, EnvFiles: true });
  });

  test.each([
    [
      'maxPods: many',
      /config\.yaml:3: field maxPods: "many" is not allowed; allowed: a whole number from 0 up/,
    ],
    ['maxPods: 1.5', /field maxPods: 1\.5/],
    ['syncFrequency: 10', /field syncFrequency: 10 is not allowed; allowed: a duration/],
    ['systemReserved: {cpu: 1}', /field systemReserved: .* a map of texts \(quote numbers\)/],
    ['authentication: true', /field authentication: true is not allowed; allowed: a map of x509/],
    ['cgroupDriver: runc', /allowed: cgroupfs, systemd/],
    ['runOnce: true', /field runOnce: true is not allowed; allowed: false/],
    ['port: 70000', /from 1 to 65535/],
    ['healthzBindAddress: localhost', /allowed: an IP address/],
    ['podCIDR: 10.0.0.0', /allowed: a range/],
    ['clusterDNS: [dns]', /field clusterDNS: "dns" is not allowed; allowed: IP addresses/],
    ['imageGCLowThresholdPercent: 90', /less than imageGCHighThresholdPercent \(85\)/],
    ['imageMaximumGCAge: 1m', /0, or more than imageMinimumGCAge/],
    ['serializeImagePulls: true\nmaxParallelImagePulls: 5', /field maxParallelImagePulls: 5/],
    ['preloadedImagesVerificationAllowlist: [x/*]', /none unless imagePullCredentialsVerificationPolicy/],
    ['shutdownGracePeriod: 100ms', /0, or at least 1s/],
    ['shutdownGracePeriod: 10s\nshutdownGracePeriodCriticalPods: 20s', /at most shutdownGracePeriod/],
    ['enforceNodeAllocatable: [none, pods]', /none alone/],
    ['enforceNodeAllocatable: [system-reserved]', /only with systemReservedCgroup/],
    ['enforceNodeAllocatable: [nodes]', /"nodes" is not allowed; allowed: pods/],
    ['cgroupsPerQOS: false', /only none without cgroupsPerQOS/],
    ['reservedSystemCPUs: 0-', /CPUs such as/],
    ['reservedSystemCPUs: "1"\nkubeReservedCgroup: /k', /none where reservedSystemCPUs is given/],
    ['systemCgroups: /s', /none without cgroupRoot/],
    ['reservedMemory: [{numaNode: 0, limits: {memory: "0"}}]', /amounts above 0/],
    ['reservedMemory: [{numaNode: -1}]', /field reservedMemory\[0\]\.numaNode: -1/],
    ['registerWithTaints: [{key: a, effect: Never}]', /registerWithTaints\[0\]\.effect: "Never"/],
    ['registerWithTaints: [{effect: NoExecute}]', /the key of a taint must not be empty/],
    ['registerWithTaints: [{key: a, effect: NoExecute, timeAdded: "2026"}]', /timeAdded/],
    ['crashLoopBackOff: {maxContainerRestartPeriod: 301s}', /from 1000 to 300000 ms/],
    [
      'featureGates: {NodeSwap: false}',
      /NodeSwap=false is not allowed; allowed: true \(the gate is locked\)/,
    ],
    ['featureGates: {EnvFilez: true}', /did you mean EnvFiles\?/],
    ['memoryThrottlingFactor: 0', /above 0, up to 1/],
    ['memoryReservationPolicy: TieredReservation', /without the feature gate MemoryQoS/],
    ['enableSystemLogQuery: true\nenableSystemLogHandler: false', /false where enableSystemLogHandler/],
    ['tlsCertFile: /c', /none without tlsPrivateKeyFile/],
    ['userNamespaces: {idsPerPod: 65537}', /a multiple of 65536/],
    ['tracing: {endpoint: "http://x"}', /HOST:PORT/],
    ['containerLogMonitorInterval: 1s', /from 3000 up ms/],
    ['podLogsDir: /var/lög', /ASCII/],
    ['maxPods: [', /config\.yaml:\d+: .*not valid YAML/],
  ])('%s', async (text, message) => {
    await expect(of(`${text}\n`)).rejects.toThrow(UsageError);
    await expect(of(`${text}\n`)).rejects.toThrow(message);
  });

  test('secrets aren’t repeated', async () => {
    const text = 'staticPodURLHeader: {Authorization: s3cr3t}\n';
    await expect(of(text)).rejects.toThrow(/staticPodURLHeader: this value is not allowed/);
    await expect(of('staticPodURL: ftp://u:s3cr3t@h/\n')).rejects.not.toThrow(/s3cr3t/);
  });

  test.each([
    ['', /is empty/],
    ['# nothing\n', /holds nothing/],
    [
      'apiVersion: v1\nkind: Pod\n',
      /"v1 Pod" is not allowed here; allowed: kubelet\.config\.k8s\.io\/v1beta1/,
    ],
    ['maxPods: 1\n', /field kind must be set/],
  ])('the file %j is no KubeletConfiguration', async (text, message) => {
    const path = await folder.write('x.yaml', text);
    await expect(options(`--config=${path}`)).rejects.toThrow(message);
  });

  test('two objects are one too many', async () => {
    const text = 'maxPods: 1\n---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n';
    await expect(of(text)).rejects.toThrow(/holds 2 objects/);
  });
});

describe('drop-ins', () => {
  const dropIns = (): string => `--config-dir=${folder.path}/d`;

  test('merge in the order of their paths; null takes back; other files don’t count', async () => {
    await folder.kubelet('d/20-b.conf', 'maxPods: 20\nclusterDomain: null\n');
    await folder.kubelet('d/10-a.conf', 'maxPods: 10\nclusterDNS: [10.0.0.9]\n');
    await folder.kubelet('d/30/z.conf', 'podsPerCore: 3\n');
    await folder.write('d/README', 'not YAML: [');
    const given = await of('maxPods: 5\nclusterDNS: [10.0.0.1, 10.0.0.2]\nclusterDomain: a.b\n', dropIns());
    expect(given).toMatchObject({
      maxPods: 20,
      clusterDns: ['10.0.0.9'],
      clusterDomain: '',
      node: { podsPerCore: 3 },
    });
  });

  test('add to evictionHard, with the defaults of the main file', async () => {
    await folder.kubelet('d/1.conf', 'evictionHard: {memory.available: 1Gi}\n');
    const { configuration } = await of('maxPods: 5\n', dropIns());
    expect(configuration['evictionHard']).toEqual({
      'memory.available': '1Gi',
      'nodefs.available': '10%',
      'nodefs.inodesFree': '5%',
      'imagefs.available': '15%',
      'imagefs.inodesFree': '5%',
    });
  });

  test('without a main file they are all there is', async () => {
    await folder.kubelet('d/1.conf', 'evictionHard: {memory.available: 1Gi}\nstaticPodPath: m\n');
    const { configuration, podManifestPath } = await options(dropIns());
    expect(configuration['evictionHard']).toEqual({ 'memory.available': '1Gi' });
    expect(podManifestPath).toBe(`${folder.path}/d/m`);
  });

  test('a bad one is named', async () => {
    await folder.kubelet('d/1.conf', 'maxPods: -1\n');
    await expect(of('maxPods: 5\n', dropIns())).rejects.toThrow(/\/d\/1\.conf:3: field maxPods: -1/);
    await folder.write('d/1.conf', 'maxPods: 1\n');
    await expect(of('maxPods: 5\n', dropIns())).rejects.toThrow(/\/d\/1\.conf:1: field kind must be set/);
  });
});

describe('evictionHard', () => {
  test.each([
    ['', { 'memory.available': '100Mi', 'imagefs.inodesFree': '5%' }, 5],
    ['evictionHard: {memory.available: 1Gi}', { 'memory.available': '1Gi' }, 1],
    [
      'evictionHard: {memory.available: 1Gi}\nmergeDefaultEvictionSettings: true',
      { 'memory.available': '1Gi', 'nodefs.available': '10%' },
      5,
    ],
    ['evictionHard: {}', {}, 0],
  ])('%j', async (text, some, count) => {
    const { configuration, eviction } = await of(`${text}\n`);
    expect(configuration['evictionHard']).toMatchObject(some);
    expect(eviction.thresholds).toHaveLength(count);
  });
});

describe('what depends on something else', () => {
  test('the report frequency is the update frequency where only that is given', async () => {
    expect((await of('nodeStatusUpdateFrequency: 4s\n')).node.statusReportFrequencyMs).toBe(4000);
    const both = 'nodeStatusUpdateFrequency: 4s\nnodeStatusReportFrequency: 1m\n';
    expect((await of(both)).node.statusReportFrequencyMs).toBe(60_000);
  });

  test.each([
    ['', {}, { firstMs: 10_000, maxMs: 300_000 }],
    ['crashLoopBackOff: {maxContainerRestartPeriod: 4s}', {}, { firstMs: 4000, maxMs: 4000 }],
    ['featureGates: {ReduceDefaultCrashLoopBackOffDecay: true}', {}, { firstMs: 1000, maxMs: 300_000 }],
    [
      'featureGates: {ReduceDefaultCrashLoopBackOffDecay: true, KubeletCrashLoopBackOffMax: false}',
      {},
      { firstMs: 1000, maxMs: 60_000 },
    ],
  ])('pauses before restarts: %s', async (text, _, expected) => {
    expect((await of(`${text}\n`)).crashLoop).toEqual(expected);
  });
});

test('/configz: everything, defaults filled in, no secret', async () => {
  const { configuration } = await of(
    'maxPods: 5\nstaticPodURL: https://u:s3cr3t@h/p?token=s3cr3t\nstaticPodURLHeader: {Authorization: [s3cr3t]}\n',
    '--sync-frequency=90s',
  );
  expect(configuration).toMatchObject({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    maxPods: 5,
    syncFrequency: '1m30s',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true, cacheTTL: '2m0s' } },
    staticPodURL: 'https://h/p',
    staticPodURLHeader: { Authorization: ['<masked>'] },
  });
  expect(JSON.stringify(configuration)).not.toContain('s3cr3t');
});

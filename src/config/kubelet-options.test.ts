import { describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { kubeletFlags } from './flags/kubelet-flags.ts';
import { parseKubelet, type KubeletOptions } from './kubelet-options.ts';

async function options(...args: string[]): Promise<KubeletOptions> {
  const command = await parseKubelet(args, 'Node-A.example');
  if (command.kind !== 'run') throw new Error(`not run: ${command.kind}`);
  return command.options;
}

describe('parseKubelet', () => {
  test('defaults are upstream’s', async () => {
    expect(await options()).toMatchObject({
      nodeName: 'node-a.example',
      rootDir: '/var/lib/kubelet',
      containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
      podManifestPath: undefined,
      manifestUrls: [],
      fileCheckFrequencyMs: 20_000,
      resolvConf: '/etc/resolv.conf',
      maxPods: 110,
      containerLogMaxSizeBytes: 10_485_760,
      containerLogMaxFiles: 5,
      containerLogMaxWorkers: 1,
      containerLogMonitorMs: 10_000,
      maxDeadContainersPerContainer: 1,
      maxDeadContainers: -1,
      runtimeRequestTimeoutMs: 120_000,
      log: { level: 'info', format: 'text' },
      warnings: [],
      cluster: undefined,
      certDir: '/var/lib/kubelet/pki',
      node: {
        register: true,
        registerWithTaints: [],
        labels: {},
        cloudProvider: '',
        preferredFamily: undefined,
        statusUpdateFrequencyMs: 10_000,
        statusReportFrequencyMs: 300_000,
        leaseDurationSeconds: 40,
        statusMaxImages: 50,
        podsPerCore: 0,
        podCidr: undefined,
      },
      host: { failSwapOn: true, failCgroupV1: false, swapBehavior: 'NoSwap', oomScoreAdj: -999 },
      server: {
        port: 10_250,
        readOnlyPort: 0,
        healthzPort: 10_248,
        authentication: { anonymous: false, webhook: true },
        authorization: { mode: 'Webhook' },
      },
      images: { verificationPolicy: 'NeverVerifyPreloadedImages', credentialProviders: undefined },
      crashLoop: { firstMs: 10_000, maxMs: 300_000 },
      podPidsLimit: -1,
    });
  });

  test('a command line as set-ups have it', async () => {
    const given = await options(
      '--hostname-override=Worker-1',
      '--pod-manifest-path=/etc/kubernetes/manifests',
      '--node-ip=10.0.0.5,fd00::5',
      '--manifest-url=https://example.org/pods',
      '--manifest-url-header=Authorization:Bearer x',
      '--cgroup-driver=systemd',
      '--resolv-conf=',
      '--v=4',
      '--network-plugin=cni',
      '--allow-privileged=true',
      '--register-node=false',
      '--eviction-soft=memory.available<200Mi',
      '--eviction-soft-grace-period=memory.available=30s',
    );
    expect(given).toMatchObject({
      nodeName: 'worker-1',
      podManifestPath: '/etc/kubernetes/manifests',
      nodeIps: ['10.0.0.5', 'fd00::5'],
      manifestUrls: ['https://example.org/pods'],
      manifestUrlHeaders: { Authorization: ['Bearer x'] },
      cgroupDriver: 'systemd',
      resolvConf: undefined,
      log: { level: 'debug' },
      node: { register: false },
    });
    expect(given.warnings).toEqual([
      expect.stringContaining('--eviction-soft has no effect'),
      expect.stringContaining('--eviction-soft-grace-period has no effect'),
      expect.stringContaining('--allow-privileged was removed'),
      expect.stringContaining('--network-plugin was removed'),
    ]);
  });

  test('a cluster', async () => {
    const given = await options(
      '--kubeconfig=/etc/kubernetes/kubelet.conf',
      '--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf',
      '--cert-dir=/pki',
      '--rotate-certificates',
      '--node-labels=disk=ssd,node.kubernetes.io/pool=a',
      '--register-with-taints=dedicated=db:NoSchedule,x:NoExecute',
      '--provider-id=p://1',
      '--cloud-provider=external',
      '--node-ip=::',
      '--pod-cidr=10.1.0.0/24',
      '--max-pods=0',
      '--image-credential-provider-config=/c',
      '--image-credential-provider-bin-dir=/b',
    );
    expect(given).toMatchObject({
      cluster: {
        kubeconfig: '/etc/kubernetes/kubelet.conf',
        bootstrapKubeconfig: '/etc/kubernetes/bootstrap-kubelet.conf',
        rotateCertificates: true,
      },
      certDir: '/pki',
      nodeIps: [],
      maxPods: 0,
      node: {
        labels: { disk: 'ssd', 'node.kubernetes.io/pool': 'a' },
        registerWithTaints: [
          { key: 'dedicated', value: 'db', effect: 'NoSchedule' },
          { key: 'x', value: '', effect: 'NoExecute' },
        ],
        providerId: 'p://1',
        cloudProvider: 'external',
        preferredFamily: 6,
        podCidr: '10.1.0.0/24',
      },
      images: { credentialProviders: { config: '/c', binDir: '/b' } },
    });
    expect(given.warnings).toEqual([expect.stringContaining('no configuration file is given')]);
  });

  test.each([
    [['--node-ip=10.0.0.5,10.0.0.6'], /one of each family/],
    [['--node-ip=10.0.0.5,::'], /only alone/],
    [['--node-ip=node'], /comma-separated IP addresses/],
    [
      ['--cluster-dns=dns.example'],
      /flag --cluster-dns: "dns.example" is not allowed; allowed: IP addresses/,
    ],
    [['--hostname-override=a_b'], /the node name "a_b" is not allowed/],
    [['--manifest-url=ftp://user:s3cr3t@x'], /--manifest-url: this value is not allowed/],
    [['--runonce'], /flag --runonce: true is not allowed; allowed: false/],
    [['start'], /unexpected word "start"/],
    [['--container-log-max-files=1'], /flag --container-log-max-files: 1 .* from 2 up/],
    [['--cpu-cfs-quota-period=2s'], /flag --cpu-cfs-quota-period: 2000 is .* from 1 to 1000 ms/],
    [['--bootstrap-kubeconfig=/b'], /needs --kubeconfig too/],
    [['--node-labels=kubernetes.io/role=x'], /"kubernetes.io\/role" is not allowed/],
    [['--node-labels=a b=x'], /flag --node-labels: "a b=x"/],
    [['--register-with-taints=a=b'], /KEY=VALUE:EFFECT/],
    [['--register-with-taints=a=b:Never'], /must be one of NoSchedule/],
    [['--register-with-taints=a=b:NoSchedule,a=c:NoSchedule'], /each key and effect once/],
    [['--cloud-provider=aws'], /flag --cloud-provider: "aws" is not allowed; allowed: '', external/],
    [['--image-credential-provider-config=/c'], /one needs the other/],
    [['--eviction-hard=memory.free<1Gi'], /flag --eviction-hard: "memory.free"/],
    [['--eviction-hard=memory.available<-1'], /for memory.available/],
    [['--eviction-soft=memory.available<1Gi'], /eviction-soft-grace-period/],
    [['--kube-reserved=gpu=1'], /flag --kube-reserved: "gpu" is not allowed; allowed: cpu, memory/],
    [['--kube-reserved=cpu=much'], /for cpu: an amount/],
    [['--feature-gates=NoSuchGate=true'], /"NoSuchGate" is no feature gate/],
    [['--config=/no/such/file'], /flag --config: there is no file \/no\/such\/file/],
    [['--config-dir=/no/such/folder'], /there is no folder/],
    [['--reserved-memory=0:memory'], /NODE:TYPE=QUANTITY/],
  ])('%j is wrong', async (args, message) => {
    await expect(options(...args)).rejects.toThrow(UsageError);
    await expect(options(...args)).rejects.toThrow(message);
  });

  test.each([
    ['--version', false],
    ['--version=raw', true],
    ['-version', false],
  ])('%s', async (flag, raw) => expect(await parseKubelet([flag])).toEqual({ kind: 'version', raw }));

  test('no flag is named twice', () => {
    const names = kubeletFlags.map((spec) => spec.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

import { describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { NotBuiltError } from './daemon-flags.ts';
import { kubeletFlags } from './flags/kubelet-flags.ts';
import { parseKubelet, type KubeletOptions } from './kubelet-options.ts';

function options(...args: string[]): KubeletOptions {
  const command = parseKubelet(args, 'Node-A.example');
  if (command.kind !== 'run') throw new Error(`not run: ${command.kind}`);
  return command.options;
}

describe('parseKubelet', () => {
  test('defaults are upstream’s', () => {
    expect(options()).toMatchObject({
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
      maxDeadContainersPerContainer: 1,
      maxDeadContainers: -1,
      runtimeRequestTimeoutMs: 120_000,
      log: { level: 'info', format: 'text' },
      warnings: [],
    });
  });

  test('a command line as set-ups have it', () => {
    const given = options(
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
      '--register-node',
      '--eviction-hard=memory.available<100Mi',
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
    });
    expect(given.warnings).toEqual(
      expect.arrayContaining([
        expect.stringContaining('--network-plugin was removed'),
        expect.stringContaining('--allow-privileged was removed'),
        expect.stringContaining('--register-node has no effect'),
        expect.stringContaining('--eviction-hard has no effect'),
      ]),
    );
    expect(given.warnings).toHaveLength(4);
  });

  test.each(['--kubeconfig=/k', '--bootstrap-kubeconfig=/b', '--config=/c'])('%s is refused', (flag) => {
    expect(() => options(flag)).toThrow(NotBuiltError);
  });

  test.each([
    [['--node-ip=10.0.0.5,10.0.0.6'], /one of each family/],
    [['--cluster-dns=dns.example'], /--cluster-dns: "dns.example" is not allowed/],
    [['--hostname-override=a_b'], /the node name "a_b" is not allowed/],
    [['--manifest-url=ftp://user:s3cr3t@x'], /--manifest-url: this value is not allowed/],
    [['--runonce'], /--runonce/],
    [['start'], /unexpected word "start"/],
    [['--container-log-max-files=1'], /from 2 up/],
  ])('%j is wrong', (args, message) => {
    expect(() => options(...args)).toThrow(UsageError);
    expect(() => options(...args)).toThrow(message);
  });

  test.each([
    ['--version', false],
    ['--version=raw', true],
    ['-version', false],
  ])('%s', (flag, raw) => expect(parseKubelet([flag])).toEqual({ kind: 'version', raw }));

  test('no flag is named twice', () => {
    const names = kubeletFlags.map((spec) => spec.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

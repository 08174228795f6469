/** What the node's own part does to a machine: iptables chains, kernel settings, the limits of all pods. */
import { readFile, writeFile } from 'node:fs/promises';
import { totalmem, cpus } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { weightOf } from '#cgroups/cpu.ts';
import { readCgroupLayout } from '#cgroups/detect.ts';
import { mountsOf } from '#cgroups/layout.ts';
import { Iptables } from '#host/iptables.ts';
import type { IptablesVariant } from '#host/iptables.ts';
import { keepKubeletChains } from '#kubelet/node/iptables-chains.ts';
import { KERNEL_TUNABLES, applyKernelTunables } from '#kubelet/node/kernel-tunables.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { startAgent } from '#test/bed/agent.ts';
import type { TestAgent } from '#test/bed/agent.ts';
import { assertBed, nodeAddress } from '#test/bed/bed.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';
import { exec } from '#test/bed/exec.ts';

assertBed();

const sysctlPath = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;
const sysctl = async (name: string): Promise<string> => (await readFile(sysctlPath(name), 'utf8')).trim();

const rulesOf = async (program: string): Promise<string[]> =>
  (await exec(program, [])).split('\n').filter((line) => /KUBE/.test(line));

describe.each<IptablesVariant>(['nft', 'legacy'])('the chains, with iptables-%s', (variant) => {
  const clock = new FakeClock(undefined, () => new Promise((resolve) => setTimeout(resolve, 300)));

  test('are made once in both families, found again, and come back after a flush', async ({ skip }) => {
    const iptables = await Iptables.find({ family: 'IPv4', variant });
    if (iptables === undefined) {
      skip(`this kernel has no ${variant} iptables`);
      return;
    }
    expect(iptables.variant).toBe(variant);
    const stop = new AbortController();
    const keep = (): Promise<void> =>
      keepKubeletChains(
        { find: (family) => Iptables.find({ family, variant }), clock, logger: silentLogger },
        stop.signal,
      );
    const running = keep();
    const wanted = [
      ':KUBE-FIREWALL - [0:0]',
      ':KUBE-IPTABLES-HINT - [0:0]',
      ':KUBE-KUBELET-CANARY - [0:0]',
      ':KUBE-KUBELET-CANARY - [0:0]',
      ':KUBE-KUBELET-CANARY - [0:0]',
      '-A INPUT -j KUBE-FIREWALL',
      '-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" ' +
        '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
      '-A OUTPUT -j KUBE-FIREWALL',
    ].toSorted();
    const rules = (): Promise<string[]> => rulesOf(`iptables-${variant}-save`);
    await expect.poll(async () => (await rules()).toSorted(), { timeout: 20_000 }).toEqual(wanted);
    await expect.poll(() => rulesOf(`ip6tables-${variant}-save`), { timeout: 20_000 }).toHaveLength(4);

    const second = keep();
    await clock.advance(60_000);
    expect((await rules()).toSorted()).toEqual(wanted);

    for (const table of ['mangle', 'nat', 'filter']) {
      await exec(`iptables-${variant}`, ['-t', table, '-F']);
      await exec(`iptables-${variant}`, ['-t', table, '-X']);
    }
    expect(await rules()).toEqual([]);
    await clock.advance(60_000);
    await expect.poll(async () => (await rules()).toSorted(), { timeout: 20_000 }).toEqual(wanted);
    stop.abort();
    await Promise.all([running, second]);
    for (const program of [`iptables-${variant}`, `ip6tables-${variant}`]) {
      for (const table of ['mangle', 'nat', 'filter']) {
        await exec(program, ['-t', table, '-F']);
        await exec(program, ['-t', table, '-X']);
      }
    }
  });
});

test('the adaptor restores without touching other chains, and saves what is there', async () => {
  const iptables = await Iptables.find({ family: 'IPv4' });
  if (iptables === undefined) throw new Error('no iptables in the bed');
  await iptables.ensureChain('filter', 'STAYS');
  await iptables.ensureRule('append', 'filter', 'STAYS', ['-j', 'RETURN']);
  await iptables.restore('*filter\n:FRESH - [0:0]\n-A FRESH -d 192.0.2.77/32 -j DROP\nCOMMIT\n');
  const saved = await iptables.save('filter');
  expect(saved).toContain('-A STAYS -j RETURN');
  expect(saved).toContain('-A FRESH -d 192.0.2.77/32 -j DROP');
  await expect(iptables.restore('*filter\n-A NOWHERE -j DROP\nCOMMIT\n')).rejects.toMatchObject({
    code: 'IPTABLES',
    retryable: false,
  });
});

test('kernel settings: protected they are an error, otherwise they are set', async () => {
  await writeFile(sysctlPath('vm.overcommit_memory'), '0');
  await expect(applyKernelTunables(true, silentLogger)).rejects.toThrow(
    /vm\.overcommit_memory is 0 and must be 1/,
  );
  expect(await sysctl('vm.overcommit_memory')).toBe('0');
  await applyKernelTunables(false, silentLogger);
  for (const [name, value] of Object.entries(KERNEL_TUNABLES)) expect(await sysctl(name)).toBe(value);
});

describe('an agent in the kubelet role', () => {
  let containerd: TestContainerd;
  let agent: TestAgent;
  beforeAll(async () => {
    containerd = await startContainerd();
    agent = await startAgent({ containerd, mode: 'kubelet', flags: ['--node-ip=192.0.2.10'] });
  });
  afterAll(async () => {
    await agent.destroy();
    await containerd.destroy();
  });

  test('shows its node whole, and Ready', async () => {
    const node = await agent.waitFor(async () => {
      const shown = await agent.client.node();
      return (
        shown.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') && shown
      );
    }, 10_000);
    const { capacity = {}, allocatable = {}, conditions = [], addresses, nodeInfo } = node.status ?? {};
    expect(conditions.map(({ type }) => type)).toEqual([
      'MemoryPressure',
      'DiskPressure',
      'PIDPressure',
      'Ready',
    ]);
    expect(addresses).toEqual([
      { type: 'InternalIP', address: nodeAddress },
      { type: 'Hostname', address: 'n1' },
    ]);
    expect(capacity).toMatchObject({ cpu: String(cpus().length), pods: '110' });
    expect(capacity['ephemeral-storage']).toBeDefined();
    expect(allocatable['memory']).not.toBe(capacity['memory']);
    expect(nodeInfo?.containerRuntimeVersion).toMatch(/^containerd:\/\//);
    expect(node.metadata?.labels).toMatchObject({
      'kubernetes.io/hostname': 'n1',
      'kubernetes.io/os': 'linux',
    });
    const events = await agent.client.events();
    const reasons = events
      .filter(({ involvedObject }) => involvedObject.kind === 'Node')
      .map(({ reason }) => reason);
    expect(reasons).toEqual(
      expect.arrayContaining(['Starting', 'NodeHasSufficientMemory', 'NodeAllocatableEnforced']),
    );
  });

  test('has made its chains and set the kernel’s settings', async () => {
    await expect
      .poll(() => rulesOf('iptables-save'), { timeout: 20_000 })
      .toContain('-A INPUT -j KUBE-FIREWALL');
    expect(await sysctl('vm.overcommit_memory')).toBe('1');
  });

  test('limits all pods together to the machine’s size', async () => {
    const layout = await readCgroupLayout();
    const [file, weight] =
      layout.version === 2 ? ['memory.max', 'cpu.weight'] : ['memory.limit_in_bytes', 'cpu.shares'];
    const folder = (controller: string): string =>
      join(
        mountsOf(layout).find(({ controllers }) => controllers.includes(controller))?.mountPoint ?? '',
        'kubepods',
      );
    const limit = Number(await readFile(join(folder('memory'), file), 'utf8'));
    expect(Math.abs(limit - totalmem())).toBeLessThan(4096);
    const shares = cpus().length * 1024;
    expect(Number(await readFile(join(folder('cpu'), weight), 'utf8'))).toBe(
      layout.version === 2 ? weightOf(shares) : shares,
    );
    expect(Number(await readFile(join(folder('pids'), 'pids.max'), 'utf8'))).toBeGreaterThan(0);
  });
});

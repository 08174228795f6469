import { describe, expect, test } from 'vitest';
import type { AgentPod } from '#lib/kube/types.ts';
import { containerResources, overheadResources, sandboxResources } from './compute.ts';
import type { ContainerLinuxResources, NodeResources } from './compute.ts';
import { box, podOf } from './testing/pods.ts';

const node: NodeResources = {
  cpuCfsQuota: true,
  cpuCfsQuotaPeriodUs: 100_000,
  memoryCapacityBytes: 8 * 2 ** 30,
  cgroupVersion: 1,
  hugePageSizes: [],
  swapController: false,
};
const first = (pod: AgentPod, facts = node): ContainerLinuxResources =>
  containerResources(pod, pod.spec.containers[0] ?? box('none'), facts);

describe('containerResources', () => {
  test('nothing asked: least shares, no limits, first to be killed', () => {
    expect(first(podOf({}))).toEqual({
      cpuShares: 2,
      cpuPeriod: 100_000,
      cpuQuota: 0,
      oomScoreAdj: 1000,
      hugepageLimits: [],
    });
  });

  test('requests and limits', () => {
    const pod = podOf({
      containers: [box('c', { cpu: '250m', memory: '64Mi' }, { cpu: '500m', memory: '128Mi' })],
    });
    expect(first(pod)).toMatchObject({
      cpuShares: 256,
      cpuQuota: 50_000,
      memoryLimitInBytes: 128 * 2 ** 20,
      oomScoreAdj: 1000 - Math.floor((1000 * 64) / 8192),
    });
  });

  test('a CPU limit stands in for the missing request, an explicit zero does not', () => {
    expect(first(podOf({ containers: [box('c', {}, { cpu: '2' })] })).cpuShares).toBe(2048);
    expect(first(podOf({ containers: [box('c', { cpu: '0' }, { cpu: '2' })] })).cpuShares).toBe(2);
  });

  test('cpuCFSQuota off leaves quota and period to the runtime', () => {
    const resources = first(podOf({ containers: [box('c', {}, { cpu: '2' })] }), {
      ...node,
      cpuCfsQuota: false,
    });
    expect(resources).not.toHaveProperty('cpuQuota');
    expect(resources).not.toHaveProperty('cpuPeriod');
  });

  test('the period scales the quota', () => {
    const resources = first(podOf({ containers: [box('c', {}, { cpu: '1500m' })] }), {
      ...node,
      cpuCfsQuotaPeriodUs: 20_000,
    });
    expect(resources).toMatchObject({ cpuPeriod: 20_000, cpuQuota: 30_000 });
  });

  test('pod-level limits hold where the container has none', () => {
    const pod = podOf({
      containers: [box('c', { cpu: '100m' }, { memory: '1Mi' })],
      resources: { limits: { cpu: '1', memory: '1Gi' } },
    });
    expect(first(pod)).toMatchObject({ cpuQuota: 100_000, memoryLimitInBytes: 2 ** 20, cpuShares: 102 });
  });

  test('cgroup v2: all processes of a container die together unless configured', () => {
    const v2: NodeResources = { ...node, cgroupVersion: 2 };
    expect(first(podOf({}), v2).unified).toEqual({ 'memory.oom.group': '1' });
    expect(first(podOf({}), { ...v2, singleProcessOomKill: true })).not.toHaveProperty('unified');
    expect(first(podOf({}))).not.toHaveProperty('unified');
  });

  test('huge pages: every size of the machine, the container before the pod, 0 otherwise', () => {
    const pod = podOf({
      containers: [box('c', {}, { 'hugepages-2Mi': '4Mi' })],
      resources: { limits: { 'hugepages-2Mi': '8Mi', 'hugepages-1Gi': '1Gi' } },
    });
    expect(first(pod, { ...node, hugePageSizes: ['2MB', '1GB', '64KB'] }).hugepageLimits).toEqual([
      { pageSize: '2MB', limit: 4 * 2 ** 20 },
      { pageSize: '1GB', limit: 2 ** 30 },
      { pageSize: '64KB', limit: 0 },
    ]);
  });

  describe('swap', () => {
    const burstable = podOf({ containers: [box('c', { memory: '1Gi' }, { memory: '2Gi' })] });
    const v2: NodeResources = { ...node, cgroupVersion: 2, swapController: true };
    const limited: NodeResources = { ...v2, swap: { behavior: 'LimitedSwap', capacityBytes: 2 ** 30 } };
    const swapMax = (pod: AgentPod, facts: NodeResources): string | undefined =>
      first(pod, facts).unified?.['memory.swap.max'];

    test('v1: memory and swap together are the memory limit', () => {
      expect(first(burstable, { ...node, swapController: true }).memorySwapLimitInBytes).toBe(2 * 2 ** 30);
      expect(first(podOf({}), { ...node, swapController: true })).not.toHaveProperty(
        'memorySwapLimitInBytes',
      );
      expect(first(burstable)).not.toHaveProperty('memorySwapLimitInBytes');
    });

    test('v2: none unless LimitedSwap, then in proportion to the memory request', () => {
      expect(swapMax(burstable, v2)).toBe('0');
      expect(swapMax(burstable, limited)).toBe(String(2 ** 27));
    });

    test('v2: never for BestEffort, Guaranteed and critical pods, nor where request equals limit', () => {
      const even = { cpu: '1', memory: '1Gi' };
      expect(swapMax(podOf({}), limited)).toBe('0');
      expect(swapMax(podOf({ containers: [box('c', even, even)] }), limited)).toBe('0');
      expect(swapMax(podOf({ ...burstable.spec, priority: 2e9 }), limited)).toBe('0');
      expect(swapMax(podOf({ containers: [box('c', { memory: '1Gi' }, { memory: '1Gi' })] }), limited)).toBe(
        '0',
      );
    });
  });
});

test('the sandbox is told the pod without overhead, and the overhead apart', () => {
  const pod = podOf({
    containers: [box('a', { cpu: '1' }, { cpu: '2', memory: '1Gi' }), box('b', { cpu: '1' })],
    overhead: { cpu: '250m', memory: '64Mi' },
  });
  expect(sandboxResources(pod, node)).toEqual({
    cpuShares: 2048,
    cpuPeriod: 100_000,
    cpuQuota: 200_000,
    memoryLimitInBytes: 2 ** 30,
  });
  expect(overheadResources(pod, node)).toEqual({
    cpuShares: 256,
    cpuPeriod: 100_000,
    cpuQuota: 25_000,
    memoryLimitInBytes: 64 * 2 ** 20,
  });
  expect(overheadResources(podOf({}), node)).toEqual({});
});

import { describe, expect, test } from 'vitest';
import type { AgentPod } from '#lib/kube/types.ts';
import { burstableShares, podCgroupLimits, resizeSteps } from './pod-limits.ts';
import type { CgroupLimits } from './pod-limits.ts';
import { box, podOf, sidecar } from './testing/pods.ts';

const node = { cpuCfsQuota: true, cpuCfsQuotaPeriodUs: 100_000 };
const MI = 2 ** 20;
const even = { cpu: '1', memory: '64Mi' };
const quota = (us: number): CgroupLimits => ({ cpuQuotaUs: us, cpuPeriodUs: 100_000 });

describe('podCgroupLimits', () => {
  test.each<[string, CgroupLimits, AgentPod]>([
    ['BestEffort', { cpuShares: 2 }, podOf({})],
    [
      'Guaranteed: the sum',
      { cpuShares: 2048, ...quota(200_000), memoryBytes: 128 * MI },
      podOf({ containers: [box('a', even, even), box('b', even, even)] }),
    ],
    [
      'Burstable with all limits',
      { cpuShares: 102, ...quota(150_000), memoryBytes: 96 * MI },
      podOf({ containers: [box('a', { cpu: '100m' }, even), box('b', {}, { cpu: '500m', memory: '32Mi' })] }),
    ],
    [
      'Burstable with every memory limit but not every CPU limit',
      { cpuShares: 2, memoryBytes: 128 * MI },
      podOf({ containers: [box('a', {}, even), box('b', {}, { memory: '64Mi' })] }),
    ],
    [
      'an unlimited init container opens the pod',
      { cpuShares: 1024 },
      podOf({ containers: [box('a', even, even)], initContainers: [box('i')] }),
    ],
    [
      'an unlimited sidecar too',
      { cpuShares: 1024 },
      podOf({ containers: [box('a', even, even)], initContainers: [sidecar('s')] }),
    ],
    [
      'a limit of the pod as a whole',
      { cpuShares: 2, ...quota(300_000) },
      podOf({ containers: [box('a')], resources: { limits: { cpu: '3' } } }),
    ],
    [
      'overhead raises requests and limits',
      { cpuShares: 1280, ...quota(125_000), memoryBytes: 74 * MI },
      podOf({ containers: [box('a', even, even)], overhead: { cpu: '250m', memory: '10Mi' } }),
    ],
    [
      'tiny limits get a millisecond',
      { cpuShares: 2, ...quota(1000) },
      podOf({ containers: [box('a', {}, { cpu: '1m' })] }),
    ],
  ])('%s', (_, expected, pod) => {
    expect(podCgroupLimits(pod, node)).toEqual({ ...expected, hugePages: new Map() });
  });

  test('without quota enforcement only the other limits stay', () => {
    const limits = podCgroupLimits(podOf({ containers: [box('a', even, even)] }), {
      ...node,
      cpuCfsQuota: false,
    });
    expect(limits).toEqual({ cpuShares: 1024, memoryBytes: 64 * MI, hugePages: new Map() });
  });

  test('huge pages and the process limit', () => {
    const pages = { 'hugepages-2Mi': '8Mi' };
    const limits = podCgroupLimits(podOf({ containers: [box('a', pages, pages)] }), node, 100);
    expect(limits).toMatchObject({ pids: 100, hugePages: new Map([['2MB', 8 * MI]]) });
    expect(podCgroupLimits(podOf({}), node, -1)).not.toHaveProperty('pids');
  });
});

test('the Burstable class gets the sum of its requests', () => {
  expect(burstableShares([])).toBe(2);
  expect(burstableShares([250, 750])).toBe(1024);
});

describe('resizeSteps', () => {
  const limits = (shares: number, us: number, mebibytes: number): CgroupLimits => ({
    cpuShares: shares,
    ...quota(us),
    memoryBytes: mebibytes * MI,
  });
  const [small, large] = [limits(100, 10_000, 32), limits(200, 20_000, 64)];

  test.each<[string, CgroupLimits, CgroupLimits, 'memory' | 'cpu', 'grow' | 'shrink', CgroupLimits[]]>([
    ['memory grows', small, large, 'memory', 'grow', [{ memoryBytes: 64 * MI }]],
    ['memory shrinks', large, small, 'memory', 'shrink', [{ memoryBytes: 32 * MI }]],
    ['the other way round nothing', small, large, 'memory', 'shrink', []],
    ['a limit before the request', small, large, 'cpu', 'grow', [quota(20_000), { cpuShares: 200 }]],
    ['the request before the limit', large, small, 'cpu', 'shrink', [{ cpuShares: 100 }, quota(10_000)]],
    [
      'a new limit is less than none',
      { cpuShares: 2 },
      small,
      'memory',
      'shrink',
      [{ memoryBytes: 32 * MI }],
    ],
    ['a limit that is removed stays', small, { cpuShares: 100 }, 'memory', 'grow', []],
    ['nothing changes', small, small, 'cpu', 'grow', []],
  ])('%s', (_, from, to, resource, direction, expected) => {
    expect(resizeSteps(from, to, resource, direction)).toEqual(expected);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AgentPod } from '#lib/kube/types.ts';
import { oomScoreAdj } from './oom-score.ts';
import { box, podOf, sidecar } from './testing/pods.ts';

const CAPACITY = 4_000_000_000;
const score = (pod: AgentPod, name = 'c'): number => {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  return oomScoreAdj(pod, all.find((each) => each.name === name) ?? box(name), CAPACITY);
};
const even = { cpu: '1', memory: '1G' };
const nodeCritical = { priorityClassName: 'system-node-critical' };
const statically = { 'kubernetes.io/config.source': 'file' };

describe('oomScoreAdj', () => {
  test.each<[string, AgentPod, number]>([
    ['BestEffort', podOf({}), 1000],
    ['Guaranteed', podOf({ containers: [box('c', even, even)] }), -997],
    ['node-critical static pod', podOf(nodeCritical, statically), -997],
    ['node-critical pod of the API', podOf({ ...nodeCritical, priority: 2_000_001_000 }), -997],
    ['the class without the priority', podOf(nodeCritical, { 'kubernetes.io/config.source': 'api' }), 1000],
    ['a static pod without the class', podOf({}, statically), 1000],
    ['cluster-critical only', podOf({ priorityClassName: 'system-cluster-critical', priority: 2e9 }), 1000],
    ['a tenth of the memory', podOf({ containers: [box('c', { memory: '400M' })] }), 900],
    ['CPU only', podOf({ containers: [box('c', { cpu: '1' })] }), 999],
    ['a tiny request', podOf({ containers: [box('c', { memory: '1k' })] }), 999],
    ['all of the memory', podOf({ containers: [box('c', { memory: '4G' })] }), 3],
    ['more than there is', podOf({ containers: [box('c', { memory: '40G' })] }), 3],
  ])('%s', (_, pod, expected) => {
    expect(score(pod)).toBe(expected);
  });

  test('a sidecar is at least as safe as the least safe main container', () => {
    const mains = [box('a', { memory: '1G' }), box('b', { memory: '2G' })];
    const pod = (own: string): AgentPod =>
      podOf({ containers: mains, initContainers: [sidecar('s', { memory: own })] });
    expect(score(pod('100M'), 's')).toBe(750);
    expect(score(pod('3G'), 's')).toBe(250);
  });

  test('a plain init container has only its own request', () => {
    const pod = podOf({ containers: [box('c', { memory: '2G' })], initContainers: [box('i')] });
    expect(score(pod, 'i')).toBe(999);
  });

  test('what the pod requests beyond its containers is shared between them', () => {
    const pod = podOf({
      containers: [box('a', { memory: '400M' }), box('b')],
      resources: { requests: { memory: '1200M' } },
    });
    expect([score(pod, 'a'), score(pod, 'b')]).toEqual([800, 900]);
  });

  test('Burstable always lies between Guaranteed and BestEffort', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2n ** 62n), fc.integer({ min: 1, max: 2 ** 50 }), (bytes, capacity) => {
        const pod = podOf({ containers: [box('c', { memory: String(bytes) })] });
        const adj = oomScoreAdj(pod, pod.spec.containers[0] ?? box('c'), capacity);
        expect(adj).toBeGreaterThanOrEqual(3);
        expect(adj).toBeLessThanOrEqual(999);
      }),
    );
  });
});

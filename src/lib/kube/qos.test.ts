import { describe, expect, test } from 'vitest';
import { computeQosClass, podQosClass } from './qos.ts';
import type { Container, PodSpec } from './types.ts';

type List = Record<string, string>;
let count = 0;
const box = (requests?: List, limits?: List): Container => ({
  name: `c${count++}`,
  resources: { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) },
});
const both: List = { cpu: '1', memory: '1Gi' };

describe('computeQosClass', () => {
  test.each<[string, string, PodSpec]>([
    ['nothing asked', 'BestEffort', { containers: [{ name: 'c' }, box()] }],
    ['zero asked', 'BestEffort', { containers: [box({ cpu: '0' }, { memory: '0' })] }],
    ['only other resources', 'BestEffort', { containers: [box({ 'ephemeral-storage': '1Gi' })] }],
    ['requests equal limits', 'Guaranteed', { containers: [box(both, both)] }],
    [
      'equal amounts written differently',
      'Guaranteed',
      { containers: [box({ cpu: '1000m', memory: '1024Mi' }, both)] },
    ],
    ['one container without', 'Burstable', { containers: [box(both, both), box()] }],
    ['limits of one resource only', 'Burstable', { containers: [box({ cpu: '1' }, { cpu: '1' })] }],
    ['requests below limits', 'Burstable', { containers: [box({ cpu: '1', memory: '1Mi' }, both)] }],
    ['limits without requests', 'Burstable', { containers: [box(undefined, both)] }],
    ['init container without', 'Burstable', { containers: [box(both, both)], initContainers: [box()] }],
    ['init container alone asks', 'Burstable', { containers: [box()], initContainers: [box({ cpu: '1m' })] }],
    [
      'init container equal too',
      'Guaranteed',
      { containers: [box(both, both)], initContainers: [box(both, both)] },
    ],
    ['pod-level equal', 'Guaranteed', { containers: [box()], resources: { requests: both, limits: both } }],
    [
      'pod-level decides alone',
      'Burstable',
      { containers: [box(both, both)], resources: { requests: { cpu: '3' } } },
    ],
    [
      'pod-level limit of one',
      'Burstable',
      { containers: [box()], resources: { requests: { cpu: '1' }, limits: { cpu: '1' } } },
    ],
    ['empty pod-level', 'BestEffort', { containers: [box(both, both)], resources: {} }],
  ])('%s: %s', (_, expected, spec) => {
    expect(computeQosClass(spec)).toBe(expected);
  });
});

test('the recorded class wins over the spec', () => {
  expect(podQosClass({ spec: { containers: [box()] }, status: { qosClass: 'Guaranteed' } })).toBe(
    'Guaranteed',
  );
  expect(podQosClass({ spec: { containers: [box()] }, status: {} })).toBe('BestEffort');
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QuantityError } from './quantity.ts';
import { amountOf, podLimits, podRequests } from './resources.ts';
import type { ResourceAmounts } from './resources.ts';
import type { Container, PodSpec } from './types.ts';

type List = Record<string, string>;
const box = (name: string, requests: List, limits: List = {}): Container => ({
  name,
  resources: { requests, limits },
});
const sidecar = (name: string, requests: List, limits: List = {}): Container => ({
  ...box(name, requests, limits),
  restartPolicy: 'Always',
});
const plain = (amounts: ResourceAmounts): List =>
  Object.fromEntries([...amounts].map(([name, amount]) => [name, amount.toString()]));

describe('podRequests', () => {
  test.each<[string, List, PodSpec]>([
    [
      'sum of the containers',
      { cpu: '300m' },
      { containers: [box('a', { cpu: '100m' }), box('b', { cpu: '200m' })] },
    ],
    [
      'a larger init container',
      { cpu: '1', memory: '64Mi' },
      { containers: [box('a', { cpu: '100m', memory: '64Mi' })], initContainers: [box('i', { cpu: '1' })] },
    ],
    [
      'sidecars add to the main containers',
      { cpu: '350m' },
      { containers: [box('a', { cpu: '100m' })], initContainers: [sidecar('s', { cpu: '250m' })] },
    ],
    [
      'an init container runs beside the sidecars before it',
      { cpu: '700m' },
      {
        containers: [box('a', { cpu: '100m' })],
        initContainers: [sidecar('s', { cpu: '200m' }), box('i', { cpu: '500m' })],
      },
    ],
    [
      'but not beside the later ones',
      { cpu: '500m' },
      {
        containers: [box('a', { cpu: '100m' })],
        initContainers: [box('i', { cpu: '500m' }), sidecar('s', { cpu: '200m' })],
      },
    ],
    [
      'overhead on top',
      { cpu: '150m', memory: '10Mi' },
      { containers: [box('a', { cpu: '100m' })], overhead: { cpu: '50m', memory: '10Mi' } },
    ],
    [
      'pod-level in place of the sum, other resources kept',
      { cpu: '2', 'example.com/gpu': '1' },
      {
        containers: [box('a', { cpu: '100m', 'example.com/gpu': '1' })],
        resources: { requests: { cpu: '2' } },
      },
    ],
  ])('%s', (_, expected, spec) => {
    expect(plain(podRequests({ spec }))).toEqual(expected);
  });

  test('options leave parts out', () => {
    const spec: PodSpec = {
      containers: [box('a', { cpu: '100m' })],
      overhead: { cpu: '50m' },
      resources: { requests: { cpu: '1' } },
    };
    expect(plain(podRequests({ spec }, { excludeOverhead: true }))).toEqual({ cpu: '1' });
    expect(plain(podRequests({ spec }, { skipPodLevel: true }))).toEqual({ cpu: '150m' });
  });

  test('an unreadable amount names the container and the resource', () => {
    const spec = { containers: [box('web', { memory: '1 GB' })] };
    expect(() => podRequests({ spec })).toThrow(QuantityError);
    expect(() => podRequests({ spec })).toThrow(/web.*requests\[memory\]/);
  });
});

describe('podLimits', () => {
  test('overhead only raises limits that exist', () => {
    const spec: PodSpec = { containers: [box('a', {}, { cpu: '1' })], overhead: { cpu: '1', memory: '1Gi' } };
    expect(plain(podLimits({ spec }))).toEqual({ cpu: '2' });
  });

  test('pod-level limits take the place of the sum', () => {
    const spec: PodSpec = {
      containers: [box('a', {}, { cpu: '1' })],
      resources: { limits: { memory: '1Gi' } },
    };
    expect(plain(podLimits({ spec }))).toEqual({ cpu: '1', memory: '1Gi' });
  });
});

test('the effective request covers the main containers and every moment of initialisation', () => {
  const step = fc.record({ milli: fc.integer({ min: 0, max: 5000 }), side: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), fc.array(fc.integer({ min: 0, max: 5000 })), (steps, mains) => {
      const spec: PodSpec = {
        containers: mains.map((milli, i) => box(`m${i}`, { cpu: `${milli}m` })),
        initContainers: steps.map(({ milli, side }, i) =>
          (side ? sidecar : box)(`i${i}`, { cpu: `${milli}m` }),
        ),
      };
      let running = 0;
      let peak = 0;
      for (const { milli, side } of steps) {
        peak = Math.max(peak, running + milli);
        if (side) running += milli;
      }
      peak = Math.max(peak, running + mains.reduce((sum, milli) => sum + milli, 0));
      expect(amountOf(podRequests({ spec }), 'cpu').milliValue()).toBe(peak);
    }),
  );
});

import { describe, expect, test } from 'vitest';
import { DownwardFieldError, defaultLimits, formatMap, metadataField, resourceField } from './downward.ts';
import { readAmounts } from './resources.ts';
import type { AgentPod, Container } from './types.ts';

const pod: AgentPod = {
  metadata: {
    name: 'p',
    namespace: 'ns',
    uid: 'u',
    labels: { b: '2', a: 'one' },
    annotations: { 'example.com/note': 'line 1\nline "2"' },
  },
  spec: { containers: [] },
};

test.each([
  ['metadata.name', 'p'],
  ['metadata.namespace', 'ns'],
  ['metadata.uid', 'u'],
  ['metadata.labels', 'a="one"\nb="2"'],
  ['metadata.annotations', 'example.com/note="line 1\\nline \\"2\\""'],
  ["metadata.labels['a']", 'one'],
  ["metadata.labels['none']", ''],
  ["metadata.labels['constructor']", ''],
  ["metadata.annotations['example.com/note']", 'line 1\nline "2"'],
])('%s is %j', (path, value) => {
  expect(metadataField(pod, path)).toBe(value);
});

test('other paths are refused', () => {
  expect(() => metadataField(pod, 'status.podIP')).toThrow(DownwardFieldError);
  expect(formatMap(undefined)).toBe('');
});

describe('resources', () => {
  const container: Container = {
    name: 'c',
    resources: {
      requests: { cpu: '15m', memory: '1Mi', 'hugepages-2Mi': '4Mi' },
      limits: { memory: '4Mi', 'hugepages-2Mi': '4Mi' },
    },
  };
  const node = readAmounts({ cpu: '3500m', memory: '8Gi', 'ephemeral-storage': '10Gi' }, 'node');

  test.each([
    ['requests.cpu', '1m', '15'],
    ['requests.cpu', undefined, '1'],
    ['requests.cpu', '0', '1'],
    ['requests.memory', '1Ki', '1024'],
    ['requests.ephemeral-storage', '1', '0'],
    ['requests.hugepages-2Mi', '1Mi', '4'],
    ['limits.memory', '1Ki', '4096'],
    ['limits.memory', '1M', '5'],
    ['limits.cpu', '1', '4'],
    ['limits.cpu', '1m', '3500'],
    ['limits.ephemeral-storage', '1Gi', '10'],
    ['limits.hugepages-1Gi', '1', '0'],
  ])('%s by %s is %s', (resource, divisor, value) => {
    const ref = { resource, ...(divisor === undefined ? {} : { divisor }) };
    expect(resourceField(container, ref, node)).toBe(value);
  });

  test('a pod-level limit comes before what the node has, for what pods have as a whole', () => {
    const limits = defaultLimits(
      {
        ...pod,
        spec: { containers: [], resources: { limits: { cpu: '500m', 'ephemeral-storage': '1Gi' } } },
      },
      node,
    );
    expect(resourceField(container, { resource: 'limits.cpu', divisor: '1m' }, limits)).toBe('500');
    expect(resourceField(container, { resource: 'limits.ephemeral-storage', divisor: '1Gi' }, limits)).toBe(
      '10',
    );
  });

  test('anything else is refused', () => {
    expect(() => resourceField(container, { resource: 'limits.example.com/gpu' }, node)).toThrow(
      DownwardFieldError,
    );
  });
});

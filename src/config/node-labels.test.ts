import { expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { nodeLabels } from './node-labels.ts';

test.each([
  'disk',
  'example.org/disk',
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'node.kubernetes.io/pool',
  'kubelet.kubernetes.io/x',
  'my.node.kubernetes.io/x',
  'beta.kubernetes.io/instance-type',
  'notkubernetes.io/x',
])('%s may be given', (key) => {
  expect(nodeLabels({ [key]: 'v' })).toEqual({ [key]: 'v' });
});

test.each([
  ['node-role.kubernetes.io/worker', ''],
  ['kubernetes.io/role', 'x'],
  ['k8s.io/x', 'x'],
  ['a.k8s.io/x', 'x'],
  ['node-restriction.kubernetes.io/x', 'x'],
  ['-a', 'x'],
  ['a', 'no blanks'],
  ['a', 'x'.repeat(64)],
])('%s=%s may not', (key, value) => {
  expect(() => nodeLabels({ [key]: value })).toThrow(UsageError);
  expect(() => nodeLabels({ [key]: value })).toThrow(/^flag --node-labels: "/);
});
